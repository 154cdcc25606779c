import { readdirSync, readFileSync } from "node:fs";
import { POLLIN } from "./constants";
import { type Identity, isAlive } from "./identity";
import { SystemError, syscall } from "./local";

/** Sends a signal to a process if it is still the same one. @returns whether it was there */
export function signalProcess(identity: Identity, signal: number): boolean {
  return withPidfd(identity, (pidfd) => syscall("pidfd_send_signal", pidfd, signal, 0, 0)) !== undefined;
}

/**
 * Waits, blocking, until a process is dead.
 * @returns whether it died within the time
 */
export function waitForEnd(identity: Identity, milliseconds: number): boolean {
  const ready = withPidfd(identity, (pidfd) => {
    const pollfd = new DataView(new ArrayBuffer(8));
    pollfd.setInt32(0, pidfd, true);
    pollfd.setInt16(4, POLLIN, true);
    const timeout = new BigInt64Array([BigInt(Math.floor(milliseconds / 1000)), BigInt((milliseconds % 1000) * 1e6)]);
    return poll(new Uint8Array(pollfd.buffer), new Uint8Array(timeout.buffer));
  });
  return ready !== 0;
}

/** Waits for a struct pollfd, through signals that come meanwhile: the kernel leaves in `timeout` what is left of it (ppoll(2)). */
function poll(pollfd: Uint8Array, timeout: Uint8Array): number {
  for (;;) {
    try {
      return syscall("ppoll", pollfd, 1, timeout, 0, 8);
    } catch (error) {
      if (!(error instanceof SystemError && error.code === "EINTR")) throw error;
    }
  }
}

/** In /proc/PID/stat, from the kernel's linux/sched.h: cloned, and has not executed a program since. */
const PF_FORKNOEXEC = 0x40;

/** Whether a process that was cloned has executed a program; one that nobody can be asked about any more has. */
export function hasExecuted({ pid, startTime }: Identity): boolean {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return true;
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[19]) !== startTime || (Number(fields[6]) & PF_FORKNOEXEC) === 0;
}

/** A process with all that it has started, and another one, which may be among these. */
export function withDescendants(pid: number, other: number | undefined): ReadonlySet<number> {
  return new Set([pid, ...(other === undefined ? [] : [other]), ...descendantsOf(pid)]);
}

/** The processes that a process has started, and those that they have (proc_pid_task_tid_children(5)); none where it has gone. */
export function descendantsOf(pid: number): number[] {
  return threadsOf(pid)
    .flatMap((thread) => wordsIn(`/proc/${pid}/task/${thread}/children`))
    .flatMap((child) => [Number(child), ...descendantsOf(Number(child))]);
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function wordsIn(path: string): string[] {
  try {
    return readFileSync(path, "latin1").split(" ").filter(Boolean);
  } catch {
    return [];
  }
}

/** sys/resource.h */
const PRIO_PROCESS = 0;

/** Gives a process with all its threads a nice value (setpriority(2)): 19 is least. @throws SystemError */
export function setPriority(pid: number, nice: number): void {
  for (const thread of readdirSync(`/proc/${pid}/task`)) syscall("setpriority", PRIO_PROCESS, Number(thread), nice);
}

/** Does something with a pidfd of the process; undefined when it is gone. */
function withPidfd<T>(identity: Identity, action: (pidfd: number) => T): T | undefined {
  let pidfd: number | undefined;
  try {
    pidfd = syscall("pidfd_open", identity.pid, 0);
    // The pidfd is of whatever has that id now: only when it is the same process still, it is the one meant.
    return isAlive(identity) ? action(pidfd) : undefined;
  } catch (error) {
    // EINVAL: it is gone, but its id is still that of a session or a group of others.
    if (error instanceof SystemError && ["ESRCH", "EINVAL"].includes(error.code)) return undefined;
    throw error;
  } finally {
    if (pidfd !== undefined) syscall("close", pidfd);
  }
}
