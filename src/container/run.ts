import { signalProcess } from "../linux/processes";
import { setTermios, termiosOf } from "../linux/terminal";
import { type Created, create } from "./create";
import { remove } from "./delete";
import type { RunOptions } from "./options";
import { onSignals } from "./signals";
import { start } from "./start";

/** `runv run`. @returns the exit code: the container's, or 0 when it is left to itself */
export async function runContainer(options: RunOptions): Promise<number> {
  const { global, id, detach, keep } = options;
  const termios = detach ? undefined : termiosOf(0);
  const { shim } = await create(options, detach);
  try {
    shim.release();
    await start(global.root, id);
    if (detach) return 0;
    return await attend(shim);
  } catch (error) {
    await remove(global.root, id, true);
    throw error;
  } finally {
    if (termios !== undefined) setTermios(0, termios);
    if (!detach && !keep) await remove(global.root, id, true);
  }
}

/** Stays until the container ends, and passes on what happens to this command. */
async function attend(shim: Created["shim"]): Promise<number> {
  onSignals((signal) => signalProcess(shim.identity, signal));
  process.on("SIGWINCH", () => signalProcess(shim.identity, 28));
  await shim.process.exited;
  return shim.process.exitCode ?? 128 + 9;
}
