/** Memory of a machine that begins as a copy of what a file holds, and is nobody else's. */
import { closeSync } from "node:fs";
import { messageOf, RunvError } from "../../base/error";
import { copyData, emptyMemoryFile } from "../../linux/memory-file";
import { inherited } from "./child";

/** How QEMU finds it. */
export const copiedMemory = { path: `/proc/self/fd/${inherited.memory}`, write: true };

/** @param from a descriptor of the file, the caller's @returns one of the copy, which the caller closes @throws RunvError VM_MEMORY */
export function copyMemory(from: number, memoryMiB: number): number {
  const copy = emptyMemoryFile("runv-memory", memoryMiB * 2 ** 20);
  try {
    copyData(from, copy);
    return copy;
  } catch (cause) {
    closeSync(copy);
    throw new RunvError("VM_MEMORY", `copy the memory that was saved: ${messageOf(cause)}`, { cause });
  }
}
