/** The file to which a guest's console goes. What is in it was written by the guest: it is escaped before anybody sees it. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { escapeControls } from "../base/escape";

export const consoleName = "console.log";

/** Makes the log and opens it for appending. @returns the descriptor */
export function openConsole(directory: string): number {
  return openSync(join(directory, consoleName), "a", 0o600);
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
