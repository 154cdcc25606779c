/** Programs of the host that end when this process does, however it ends. */
import { closeSync } from "node:fs";
import { readInit } from "../image/init-binary";
import { PR_SET_PDEATHSIG } from "../linux/constants";
import { memoryFile } from "../linux/memory-file";
import { SIGKILL } from "../linux/signals";
import { Assembler } from "../program/assembler";

/** What a program has as its descriptors 0, 1, 2 and so on. */
export type TiedStdio = readonly ("ignore" | "pipe" | number)[];

/**
 * Starts a program by way of the guest's init, which sees to it that it gets SIGKILL when this process dies.
 * @param command its path and arguments
 * @param environment as NAME=value
 */
export function spawnTied<const Stdio extends TiedStdio>(
  command: readonly string[],
  stdio: Stdio,
  environment: readonly string[] = [],
) {
  init ??= memoryFile("runv-init", readInit());
  const code = memoryFile("runv-program", tie(command, environment));
  try {
    // The program is one descriptor more, which init closes.
    return Bun.spawn([`/proc/${process.pid}/fd/${init}`, "--exec", String(stdio.length)], {
      stdio: [...stdio, code] as unknown as [Stdio[0], Stdio[1], Stdio[2]],
      env: {},
      cwd: "/",
    });
  } finally {
    closeSync(code);
  }
}

/** The guest's init, which also starts programs on the host; made with the first one and kept. */
let init: number | undefined;

function tie(command: readonly string[], environment: readonly string[]): Uint8Array {
  const p = new Assembler();
  p.doing("tie a program to its parent");
  p.syscall("prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
  const alive = p.label();
  p.jumpIf(p.value("getppid", []), "=", process.pid, alive);
  p.fail(3); // ESRCH: it died before
  p.place(alive);
  p.doing(`execute ${command[0]}`);
  p.syscall("execve", [p.text(command[0]!), p.vector(command), p.vector(environment)]);
  return p.assemble().bytes;
}
