/** Programs of the host that end when this process does, however it ends. */
import { closeSync } from "node:fs";
import { basename } from "node:path";
import { readInit } from "../image/init-binary";
import { memoryFile } from "../linux/memory-file";
import { Assembler } from "../program/assembler";
import { dropPrivileges, tie } from "./qemu/confine";

/** What a program has as its descriptors 0, 1, 2 and so on. */
export type TiedStdio = readonly ("ignore" | "pipe" | number)[];

/**
 * Starts a program by way of the guest's init, which sees to it that it gets SIGKILL when this process dies.
 * @param command its path and arguments
 * @param environment as NAME=value
 * @param capabilities numbers of those that it keeps, as a user of its own; it stays root if they are not said
 */
export function spawnTied<const Stdio extends TiedStdio>(
  command: readonly string[],
  stdio: Stdio,
  environment: readonly string[] = [],
  capabilities?: readonly number[],
) {
  init ??= memoryFile("runv-init", readInit());
  const code = memoryFile("runv-program", becoming(command, environment, capabilities));
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

function becoming(
  command: readonly string[],
  environment: readonly string[],
  capabilities?: readonly number[],
): Uint8Array {
  const p = new Assembler();
  const name = basename(command[0]!);
  if (capabilities !== undefined) dropPrivileges(p, name, capabilities);
  // After the change of ids, which undoes it.
  tie(p, name, process.pid);
  p.doing(`execute ${command[0]}`);
  p.syscall("execve", [p.text(command[0]!), p.vector(command), p.vector(environment)]);
  return p.assemble().bytes;
}
