/**
 * A program: `usage.ts OUTPUT COMMAND…`. Runs a command as the parent of all that it leaves behind, waits until all of them have ended, and
 * writes what the whole tree cost as JSON: `Usage`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PR_SET_CHILD_SUBREAPER } from "../src/linux/constants";
import { syscall } from "../src/linux/local";
import { time } from "./command";

/** In milliseconds. */
export interface Usage {
  /** Until the command ended, whatever it left behind. */
  wall: number;
  /** User and system time of the command and all its descendants. */
  cpu: number;
}

if (import.meta.main) {
  const [, , output = "", ...words] = process.argv;
  syscall("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const start = performance.now();
  const { exitCode, resourceUsage } = Bun.spawnSync(words, { stdio: ["inherit", "inherit", "inherit"] });
  const wall = performance.now() - start;
  const { user, system } = resourceUsage.cpuTime;
  const cpu = Number(user + system) / 1000 + waitForOrphans();
  if (exitCode === 0) writeFileSync(output, JSON.stringify({ wall, cpu } satisfies Usage));
  process.exit(exitCode);
}

/** @returns the milliseconds of processor time that they took, and theirs */
function waitForOrphans(): number {
  // struct rusage begins with two timevals: ru_utime, ru_stime.
  const usage = new BigInt64Array(18);
  for (let total = 0; ; total += milliseconds(usage)) {
    try {
      syscall("wait4", -1, new Uint8Array(4), 0, new Uint8Array(usage.buffer));
    } catch {
      return total; // ECHILD: there are none any more.
    }
  }
}

function milliseconds(usage: BigInt64Array): number {
  return Number(usage[0]! + usage[2]!) * 1000 + Number(usage[1]! + usage[3]!) / 1000;
}

/** Runs a command to the end of all that it starts. @param directory for a file */
export function usageOf(directory: string, words: readonly string[]): Usage {
  const output = join(directory, "usage.json");
  time([process.execPath, import.meta.path, output, ...words]);
  return JSON.parse(readFileSync(output, "utf8"));
}
