import { constants } from "node:os";

/** Signals that a process can catch and that mean something to another one. SIGWINCH is for the terminal's owner. */
const forwarded = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGPIPE",
  "SIGALRM",
  "SIGTERM",
  "SIGCONT",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGURG",
  "SIGXCPU",
  "SIGXFSZ",
  "SIGVTALRM",
  "SIGIO",
  "SIGPWR",
  "SIGSYS",
] as const;

/** Hands every signal that comes to this process on to another. */
export function onSignals(take: (signal: number) => void): void {
  for (const name of forwarded) process.on(name, () => take(constants.signals[name]));
}
