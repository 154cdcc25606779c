/** Signals by the names of signal(7), as on x86-64 and aarch64. */
const signals: Record<string, number> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  IOT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  POLL: 29,
  PWR: 30,
  SYS: 31,
  RTMIN: 34,
  RTMAX: 64,
};

export const SIGKILL = 9;
export const SIGTERM = 15;
export const SIGCHLD = 17;
export const SIGWINCH = 28;
/** HUP, INT, QUIT, TERM: by which a program is asked to end. */
export const endingSignals: readonly number[] = [1, 2, 3, SIGTERM];

/**
 * Reads a signal as `kill(1)` and `docker kill` write it: `9`, `KILL`, `SIGKILL`, `sigterm`, `RTMIN+3`, `RTMAX-1`.
 * @returns its number, 0 to 64, or undefined when there is no such signal
 */
export function parseSignal(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) <= 64 ? Number(text) : undefined;
  const match = /^(?:SIG)?([A-Z]+\d?)(?:([+-])(\d+))?$/.exec(text.toUpperCase());
  const base = match?.[1] === undefined ? undefined : signals[match[1]];
  if (base === undefined || match?.[3] === undefined) return base;
  const number = match[2] === "+" ? base + Number(match[3]) : base - Number(match[3]);
  const realTime = match[1] === "RTMIN" || match[1] === "RTMAX";
  return realTime && number >= 34 && number <= 64 ? number : undefined;
}

/** The name of a signal without `SIG`, for messages: `KILL`, `RTMIN+3`. */
export function signalName(number: number): string {
  for (const [name, value] of Object.entries(signals)) if (value === number) return name;
  return number > 34 && number < 64 ? `RTMIN+${number - 34}` : String(number);
}

/** What Go's programs, and so runc's callers, call a signal that ended a process. */
const texts: Readonly<Record<number, string>> = {
  1: "hangup",
  2: "interrupt",
  3: "quit",
  4: "illegal instruction",
  5: "trace/breakpoint trap",
  6: "aborted",
  7: "bus error",
  8: "floating point exception",
  9: "killed",
  10: "user defined signal 1",
  11: "segmentation fault",
  12: "user defined signal 2",
  13: "broken pipe",
  14: "alarm clock",
  15: "terminated",
  16: "stack fault",
  24: "CPU time limit exceeded",
  25: "file size limit exceeded",
  30: "power failure",
  31: "bad system call",
};

/** How a signal ended a process, as runc says it: `signal: killed`; one without a text by its name. */
export function endedBy(number: number): string {
  return `signal: ${texts[number] ?? signalName(number)}`;
}
