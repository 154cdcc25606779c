/** Whether a kernel can be a domain's. It takes reading all of it, so it is asked when a domain did not start. */
import { readFileSync } from "node:fs";
import { messageOf } from "../../base/error";
import { readElf } from "../../image/elf";
import { hasPvEntry, hasPvhEntry } from "../../image/vmlinux";
import type { DomainType } from "./host";

const entries = {
  pv: { has: hasPvEntry, otherwise: "was configured without CONFIG_XEN_PV" },
  pvh: { has: hasPvhEntry, otherwise: "was configured without CONFIG_PVH" },
} as const;

/** Why a kernel is none for such domains, to be said behind its name; undefined when it is one. */
export function kernelProblem(path: string, type: DomainType): string | undefined {
  const { has, otherwise } = entries[type];
  try {
    const bytes = readFileSync(path);
    return has(bytes, readElf(bytes, path)) ? undefined : otherwise;
  } catch (error) {
    return `is no kernel: ${messageOf(error)}`;
  }
}
