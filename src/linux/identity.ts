import { readFileSync } from "node:fs";

/** A process that is surely the same one later: ids are used again, the moment of the start is not (proc_pid_stat(5)). */
export interface Identity {
  pid: number;
  /** In clock ticks since boot. */
  startTime: number;
}

/** The identity of a process; undefined when there is none, or it is dead and only waits to be reaped. */
export function identityOf(pid: number): Identity | undefined {
  const found = lookAt(pid);
  return found === undefined || found.state === "Z" || found.state === "X" ? undefined : found.identity;
}

/** The identity of a child that may be dead already, and was not waited for yet. */
export function identityOfChild(pid: number): Identity | undefined {
  return lookAt(pid)?.identity;
}

/** Whether this very process is stopped: by a signal, or by a debugger. */
export function isStopped({ pid, startTime }: Identity): boolean {
  const found = lookAt(pid);
  return found?.identity.startTime === startTime && /[Tt]/.test(found.state);
}

function lookAt(pid: number): { state: string; identity: Identity } | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The second field, the command's name, may hold anything, also spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", identity: { pid, startTime: Number(fields[19]) } };
}

/** Whether this very process still runs. */
export function isAlive({ pid, startTime }: Identity): boolean {
  return identityOf(pid)?.startTime === startTime;
}
