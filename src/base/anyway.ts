import { messageOf } from "./error";
import { log } from "./log";

/** Does what is to be tried on the way out of something, whose own outcome is what counts: its failure is logged. */
export async function anyway(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch (error) {
    log.warn(messageOf(error));
  }
}
