/** What is to be known of a QEMU from which others are forked. */
import { readFileSync } from "node:fs";
import { type ForkFiles, forkDescriptorsOf } from "./fork-descriptors";
import { type ForkNotes, sharedNamespaces } from "./fork-notes";
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
  const program = forkProgram({ descriptors: forkDescriptorsOf(pid, files), title: titleOf(pid, name), binary });
  return { ...program, freePageReporting, namespaces: sharedNamespaces(pid) };
}

/** Where a process has its machine's name (proc_pid_stat(5), arg_start). */
function titleOf(pid: number, name: string): ForkTitle {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const start = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[45]);
  return { at: start + readFileSync(`/proc/${pid}/cmdline`).indexOf(`\0${name}\0`) + 1, name };
}
