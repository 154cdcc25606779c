/** What the kernel says of a process: its memory and its processor time. */
import { readFileSync } from "node:fs";

/** Ticks of a second in /proc/PID/stat: always 100 on the machines that runv runs on. */
const ticks = 100;

/** User and system time until now, of all its threads but not of its children, in milliseconds. */
export function processorTime(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticks;
}

/** In MB, 10^6 bytes. */
export interface Memory {
  /** Its share of what it has mapped, where each page is divided among those who have it. */
  pss: number;
  /** Its own: heap, stacks, and other pages that it has written to, but for those that it shares with whom it was forked from. */
  own: number;
}

/** @see proc_pid_smaps(5) */
export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const field = (name: string) =>
    (Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024) / 1e6;
  return { pss: field("Pss"), own: field("Private_Dirty") };
}
