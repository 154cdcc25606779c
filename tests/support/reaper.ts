/**
 * A program: `reaper [--all] PID-FILE COMMAND…`. Stands in for containerd-shim and conmon: becomes a subreaper, runs the command, which is to
 * leave a process behind and write its id to the file, and waits for that process as its parent; with --all then for whatever else it was left
 * with, as conmon does. Prints JSON: `Reaped`.
 */
import { readFileSync } from "node:fs";
import { writeAll } from "../../src/base/output";
import { PR_SET_CHILD_SUBREAPER } from "../../src/linux/constants";
import { SystemError, syscall } from "../../src/linux/local";

export interface Reaped {
  /** The exit code of the command. */
  command: number;
  /** What the file holds, as it is. */
  pidFile: string;
  /** The process's parent while it ran is this one. */
  child: boolean;
  /** As wait(2) encodes it. */
  status: number;
}

if (import.meta.main) {
  const all = process.argv[2] === "--all";
  const [pidFile = "", ...command] = process.argv.slice(all ? 3 : 2);
  syscall("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const { exitCode } = Bun.spawnSync(command, { stdio: ["inherit", "inherit", "inherit"] });
  const text = readFileSync(pidFile, "utf8");
  const status = new Int32Array(1);
  const child = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${text}/status`, "utf8"))?.[1] === String(process.pid);
  syscall("wait4", Number(text), new Uint8Array(status.buffer), 0, 0);
  while (all && waitForAny()) {}
  const reaped: Reaped = { command: exitCode, pidFile: text, child, status: status[0]! };
  writeAll(1, `${JSON.stringify(reaped)}\n`);
}

/** @returns whether there was a child to wait for */
function waitForAny(): boolean {
  try {
    syscall("wait4", -1, 0, 0, 0);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.code === "ECHILD") return false;
    throw error;
  }
}

/** Runs it as a program of its own. @param all wait for everything that it is left with */
export async function reap(pidFile: string, command: readonly string[], all = false): Promise<Reaped> {
  const flags = all ? ["--all"] : [];
  const child = Bun.spawn([process.execPath, import.meta.path, ...flags, pidFile, ...command], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const [text] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  return JSON.parse(text.trim().split("\n").at(-1) ?? "") as Reaped;
}
