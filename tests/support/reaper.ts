/**
 * A program: `reaper PID-FILE COMMAND…`. Stands in for containerd-shim and conmon: becomes a subreaper, runs the command, which is to
 * leave a process behind and write its id to the file, and waits for that process as its parent. Prints JSON: `Reaped`.
 */
import { readFileSync } from "node:fs";
import { writeAll } from "../../src/base/output";
import { PR_SET_CHILD_SUBREAPER } from "../../src/linux/constants";
import { syscall } from "../../src/linux/local";

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
  const [, , pidFile = "", ...command] = process.argv;
  syscall("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const { exitCode } = Bun.spawnSync(command, { stdio: ["inherit", "inherit", "inherit"] });
  const text = readFileSync(pidFile, "utf8");
  const status = new Int32Array(1);
  const child = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${text}/status`, "utf8"))?.[1] === String(process.pid);
  syscall("wait4", Number(text), new Uint8Array(status.buffer), 0, 0);
  const reaped: Reaped = { command: exitCode, pidFile: text, child, status: status[0]! };
  writeAll(1, `${JSON.stringify(reaped)}\n`);
}

/** Runs it as a program of its own. */
export async function reap(pidFile: string, command: readonly string[]): Promise<Reaped> {
  const child = Bun.spawn([process.execPath, import.meta.path, pidFile, ...command], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const [text] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  return JSON.parse(text.trim().split("\n").at(-1) ?? "") as Reaped;
}
