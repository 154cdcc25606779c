/** What is to be known of a QEMU from which others are forked. */
import { readFileSync } from "node:fs";
import { RunvError } from "../../base/error";
import { type ForkFiles, forkDescriptorsOf } from "./fork-descriptors";
import type { ForkNotes } from "./fork-notes";
import { type ForkTitle, forkProgram } from "./fork-program";

/**
 * Describes it.
 * @param name its machine's
 * @param binary its program
 * @throws RunvError VM_FORK
 */
export function describeParent(
  { pid, name, binary, freePageReporting }: { pid: number; name: string; binary: string; freePageReporting: boolean },
  files: ForkFiles,
): ForkNotes {
  const problem = memoryProblem(readFileSync(`/proc/${pid}/maps`, "utf8"));
  if (problem !== undefined) throw new RunvError("VM_FORK", `qemu ${problem}`);
  const program = forkProgram({ descriptors: forkDescriptorsOf(pid, files), title: titleOf(pid, name), binary });
  return { ...program, freePageReporting };
}

/**
 * Why a process is not one that others are forked from, by its memory: preload/fork.c knows glibc's threads, and what is shared for writing
 * would be one for all of them.
 * @param maps proc_pid_maps(5)
 */
export function memoryProblem(maps: string): string | undefined {
  const lines = maps.split("\n");
  const shared = lines.find((line) => /^\S+ .w.s/.test(line));
  if (shared !== undefined) return `has memory that machines forked from it would share: ${shared}`;
  if (!/\/libc(\.so\.6|-2\.\d+\.so)$/m.test(maps))
    return "has another C library than glibc, whose threads cannot be forked";
  return undefined;
}

/** Where a process has its machine's name (proc_pid_stat(5), arg_start). */
export function titleOf(pid: number, name: string): ForkTitle {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const start = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[45]);
  return { at: start + readFileSync(`/proc/${pid}/cmdline`).indexOf(`\0${name}\0`) + 1, name };
}
