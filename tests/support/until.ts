/** Waiting for what nothing tells of: a condition is asked again and again, up to a deadline. */
import { patience } from "./patience";

const steps = 10;

/**
 * Waits until `condition` gives something other than undefined, null, false, and returns that.
 * @param what for the error: "the container is stopped"
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  milliseconds = 10_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + milliseconds * patience;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== null && value !== false) return value as NonNullable<Exclude<T, false>>;
    if (performance.now() > deadline) throw new Error(`not within ${milliseconds * patience} ms: ${what}`);
    await Bun.sleep(steps);
  }
}
