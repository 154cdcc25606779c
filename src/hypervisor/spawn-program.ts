/** Programs of system calls on the host, run by the guest's init: each becomes a program of the host's, prepared as it is to be. */
import { closeSync } from "node:fs";
import type { RunvError } from "../base/error";
import { readInit } from "../image/init-binary";
import { memoryFile } from "../linux/memory-file";
import type { Program } from "../program/program";

/** What a program has as its descriptors 0, 1, 2 and so on. */
export type ProgramStdio = readonly ("ignore" | "pipe" | number)[];

/** Made with the first program and kept. */
let init: number | undefined;

/** Starts a process that runs a program. The program is one descriptor more, which init closes. */
export function spawnProgram<const Stdio extends ProgramStdio>({ bytes }: Program, stdio: Stdio) {
  init ??= memoryFile("runv-init", readInit());
  const code = memoryFile("runv-program", bytes);
  try {
    return Bun.spawn([`/proc/${process.pid}/fd/${init}`, "--exec", String(stdio.length)], {
      stdio: [...stdio, code] as unknown as [Stdio[0], Stdio[1], Stdio[2]],
      env: {},
      cwd: "/",
    });
  } finally {
    closeSync(code);
  }
}

/** The exit code of a process whose program has failed. */
const failedCode = 125;

/**
 * What kept a process from becoming what it was to become; undefined when it did. Init says that by numbers (docs/guest-protocol.md).
 * @param code its exit code
 * @param said what it wrote to standard error
 */
export function failureOf(program: Program, code: number | null, said: string): RunvError | undefined {
  if (code !== failedCode) return undefined;
  const failed = /^runv-init: instruction (\d+): errno (\d+)/m.exec(said);
  return failed === null ? undefined : program.failure(Number(failed[1]), Number(failed[2]));
}
