import type { Guest } from "../guest/guest";
import { ping } from "../guest/ping";
import { syncShare } from "../guest/prepare";
import type { Program } from "../program/program";

interface Patience {
  /** How long the guest is left alone before it is asked whether it still lives. */
  restMs: number;
  /** How long it may be silent then. */
  silenceMs: number;
  /** How long all may take. */
  mostMs: number;
}

/**
 * Has a guest write back what it holds of the share, before its machine is ended. It may take long while it answers; one that does not answer
 * would never be done.
 * @param program that does it
 * @param ended fulfilled when its machine ends by itself
 * @returns whether all was written
 */
export async function writeBack(
  guest: Guest,
  ended: Promise<unknown>,
  program: Program = syncShare(),
  { restMs, silenceMs, mostMs }: Patience = { restMs: 1_000, silenceMs: 5_000, mostMs: 60_000 },
): Promise<boolean> {
  const written = guest.call(program).then(
    () => true,
    () => false,
  );
  const over = Promise.race([written, ended.then(() => false)]);
  const latest = performance.now() + mostMs;
  while (performance.now() < latest) {
    const done = await Promise.race([over, Bun.sleep(restMs)]);
    if (done !== undefined) return done;
    const answer = ping(guest).then(
      () => "alive" as const,
      () => false,
    );
    const alive = await Promise.race([over, answer, Bun.sleep(silenceMs).then(() => false)]);
    if (alive !== "alive") return alive;
  }
  return false;
}
