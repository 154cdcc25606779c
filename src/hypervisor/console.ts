/** The file to which a guest's console goes. What is in it was written by the guest: it is escaped before anybody sees it. */
import { appendFileSync, closeSync, fstatSync, openSync, readSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { escapeControls } from "../base/escape";

export const consoleName = "console.log";

/** What a log may hold, what is kept of one that holds more, and how often that is looked at: a console writes 0.3 MB/s. */
const limits = { most: 1 << 20, kept: 64 << 10, everyMs: 60_000 };

/** Makes the log and opens it for appending. @returns the descriptor */
export function openConsole(directory: string): number {
  return openSync(join(directory, consoleName), "a", 0o600);
}

/**
 * Cuts the log, down to its end, whenever it has become too long, so that a guest cannot fill the host's disk with it.
 * @returns what stops this
 */
export function keepConsoleShort(path: string, { most, kept, everyMs } = limits): () => void {
  // By its descriptor: the sandbox's directory may be given another name.
  const held = openSync(path, "r");
  const timer = setInterval(() => cut(`/proc/self/fd/${held}`, most, kept), everyMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    closeSync(held);
  };
}

function cut(path: string, most: number, kept: number): void {
  try {
    if (statSync(path).size <= most) return;
    const end = readEnd(path, kept);
    // QEMU appends: what it writes meanwhile goes behind.
    truncateSync(path, 0);
    appendFileSync(path, `[runv: the beginning was cut off]\n${end.slice(end.indexOf("\n") + 1)}`);
  } catch {
    // The sandbox is going, or its disk is full: the next time then.
  }
}

/**
 * Reads the end of a console's log.
 * @param lines how many lines at most
 * @returns its last lines, without control characters and carriage returns; none when there is no log
 */
export function consoleTail(path: string, lines = 20): string[] {
  return escapeControls(readEnd(path, 200 * lines).replaceAll("\r", ""))
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .slice(-lines);
}

function readEnd(path: string, most: number): string {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return "";
  }
  try {
    const { size } = fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(size, most));
    const read = readSync(fd, buffer, 0, buffer.length, Math.max(0, size - most));
    return buffer.toString("utf8", 0, read);
  } finally {
    closeSync(fd);
  }
}
