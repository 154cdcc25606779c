import { setTermios, termiosOf } from "../linux/terminal";
import { startExec } from "./exec-process";
import { execProcessOf } from "./exec-request";
import { passwdOf, withEnvironment } from "./making/environment";
import type { ExecOptions } from "./options";
import { openRunning } from "./record/open";
import { announce, refusePreservedFds } from "./shim/announce";
import { exitCodeOf, passSignals } from "./shim/attend";
import { checkConsole } from "./shim/console";

/** `runv exec`. @returns the exit code: the process's, or 0 when it is left to itself */
export async function execInContainer(options: ExecOptions): Promise<number> {
  const { global, id, detach, consoleSocket } = options;
  refusePreservedFds(options);
  const record = openRunning(global.root, id, options.ignorePaused);
  const process = withEnvironment(execProcessOf(options, record), passwdOf(record));
  checkConsole(process, consoleSocket, detach);
  const termios = detach ? undefined : termiosOf(0);
  try {
    const shim = await startExec(global.root, record, process, options, (shim) => {
      // Before it starts: what it says may have a caller send a signal at once.
      if (!detach) passSignals(shim);
    });
    try {
      announce(shim.identity.pid, options);
    } catch (error) {
      await shim.kill();
      throw error;
    }
    shim.release();
    return detach ? 0 : await exitCodeOf(shim);
  } finally {
    if (termios !== undefined) setTermios(0, termios);
  }
}
