/** `--preserve-fds`: descriptors of the caller that the command keeps. */
import { readlinkSync } from "node:fs";
import { RunvError } from "../../base/error";

/** What the descriptors are that Bun has opened for itself, where the caller has left a gap. */
const isOwn = (link: string): boolean => link.startsWith("anon_inode:") || link === process.execPath;

/** Descriptors that the command is to have must be the caller's. @throws RunvError USAGE */
export function requirePreserved(count: number): void {
  for (let fd = 3; fd < 3 + count; fd++) {
    try {
      if (!isOwn(readlinkSync(`/proc/self/fd/${fd}`))) continue;
    } catch {
      // There is none.
    }
    throw new RunvError("USAGE", `--preserve-fds ${count}: descriptor ${fd} is not one of the caller's`, {
      hint: "they are passed from 3 on, without gaps",
    });
  }
}
