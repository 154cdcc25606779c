import { renameSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { RunvError } from "../base/error";

/** Writes a process id, with no newline, so that a reader sees all of it or nothing. @throws RunvError PID_FILE */
export function writePidFile(path: string, pid: number): void {
  const next = `${dirname(path)}/.${basename(path)}`;
  try {
    writeFileSync(next, String(pid), { mode: 0o666 });
    renameSync(next, path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new RunvError(
      "PID_FILE",
      `write the pid file ${path}: ${code === "ENOENT" ? "its directory does not exist" : code}`,
      {
        cause,
      },
    );
  }
}
