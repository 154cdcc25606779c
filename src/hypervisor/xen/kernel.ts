/** Whether a kernel can be a domain's. It takes reading all of it, so it is asked when a domain did not start, or its guest says nothing. */
import { readFileSync } from "node:fs";
import { messageOf, RunvError } from "../../base/error";
import { readElf } from "../../image/elf";
import { hasPvEntry, hasPvhEntry } from "../../image/vmlinux";
import type { DomainType } from "./host";

const entries = {
  pv: { has: hasPvEntry, otherwise: "was configured without CONFIG_XEN_PV" },
  pvh: { has: hasPvhEntry, otherwise: "was configured without CONFIG_PVH" },
} as const;

/** The error that says why a kernel is none for such domains: VM_KERNEL_FORMAT; undefined when it is one. */
export function wrongKernel(path: string, type: DomainType, cause?: unknown): RunvError | undefined {
  const why = problemOf(path, type);
  if (why === undefined) return undefined;
  const hint = "make kernel and initrd: runv image build";
  return new RunvError("VM_KERNEL_FORMAT", `start a domain: ${path} ${why}`, { cause, hint });
}

function problemOf(path: string, type: DomainType): string | undefined {
  const { has, otherwise } = entries[type];
  try {
    const bytes = readFileSync(path);
    return has(bytes, readElf(bytes, path)) ? undefined : otherwise;
  } catch (error) {
    return `is no kernel: ${messageOf(error)}`;
  }
}
