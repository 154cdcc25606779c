/** Waiting for children that Bun has not started (wait(2)). */
import { SystemError, syscall } from "./local";
import { throughSignals } from "./packet";

const WNOHANG = 1;
/** Longer than any timer may be; all it does is keep the event loop waiting. */
const longest = 2 ** 31 - 1;

/**
 * Waits for a child's end, through which signals can be taken.
 * @returns its wait status
 * @throws SystemError ECHILD when it is none, or was waited for
 */
export async function waitForChild(pid: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const look = () => {
    try {
      const status = statusIfDead(pid);
      if (status !== undefined) resolve(status);
    } catch (error) {
      reject(error);
    }
  };
  const keep = setInterval(() => {}, longest);
  // First the handler, then the look: what comes in between is told by the handler.
  process.on("SIGCHLD", look);
  try {
    look();
    return await promise;
  } finally {
    process.off("SIGCHLD", look);
    clearInterval(keep);
  }
}

/** Waits, blocking, for a child that is dead or about to be. @returns its wait status; undefined when it is none */
export function reap(pid: number): number | undefined {
  const status = new Int32Array(1);
  try {
    throughSignals(() => syscall("wait4", pid, new Uint8Array(status.buffer), 0, 0));
    return status[0]!;
  } catch (error) {
    if (error instanceof SystemError && error.code === "ECHILD") return undefined;
    throw error;
  }
}

function statusIfDead(pid: number): number | undefined {
  const status = new Int32Array(1);
  const found = syscall("wait4", pid, new Uint8Array(status.buffer), WNOHANG, 0);
  return found === pid ? status[0]! : undefined;
}

/** What a shell, and runc, makes of a wait status: the exit code, or 128 and the signal. */
export function exitCodeOf(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
