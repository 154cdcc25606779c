import { anyway } from "../base/anyway";
import { span } from "../base/trace";
import { setTermios, termiosOf } from "../linux/terminal";
import { create } from "./create";
import { remove } from "./delete";
import type { RunOptions } from "./options";
import { exitCodeOf, passSignals } from "./shim/attend";
import { start } from "./start";
import { sayUnexecuted } from "./unexecuted";

/** `runv run`. @returns the exit code: the container's, or 0 when it is left to itself */
export async function runContainer(options: RunOptions): Promise<number> {
  const { global, id, detach, keep } = options;
  const termios = detach ? undefined : termiosOf(0);
  const { shim } = await create(options, { detach, complete: true });
  try {
    shim.release();
    // Before it starts: what it says may have a caller send a signal at once.
    if (!detach) passSignals(shim);
    await span("start", () => start(global.root, id, { follow: false }));
    const code = detach ? 0 : await span("run", () => exitCodeOf(shim));
    // As runc: what is left of it is told of, and the code is the container's.
    if (!detach && !keep) await span("delete", () => anyway(() => remove(global.root, id, true)));
    return code;
  } catch (error) {
    await anyway(() => remove(global.root, id, true));
    if (detach) throw error;
    return sayUnexecuted(error);
  } finally {
    if (termios !== undefined) setTermios(0, termios);
  }
}
