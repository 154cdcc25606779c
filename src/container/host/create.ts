import type { CreateOptions } from "../options";
import { makeOnHost } from "./make";

/** `runv create` of a container on this host. @returns the exit code */
export async function createOnHost(options: CreateOptions): Promise<number> {
  const made = await makeOnHost(options, { detach: true, startedByAnother: true });
  try {
    made.process.go();
  } catch (error) {
    await made.undo();
    throw error;
  }
  made.process.leave();
  return 0;
}
