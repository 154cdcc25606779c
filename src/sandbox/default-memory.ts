/**
 * The memory of a machine whose container has no limit: a share of the host's. A machine takes a page of the host when its guest first writes to it, and
 * gives back what is freed, so what it may have costs little; its description costs 16 MiB for each GiB, which clones have in common.
 */
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { drivers } from "../hypervisor";
import { isFirstDomain } from "../hypervisor/xen/host";
import { hasNoHoles } from "./template/template-room";

/** What it has at least, and where it costs more than that: all that there is where no clones are made. In MiB. */
export const leastMiB = 128;
const mostMiB = 4096;

/** What it depends on. */
export interface MemorySource {
  /** What the host has. */
  hostMiB: number;
  /** Whether the host's kernel promises no more than it has: `vm.overcommit_memory` is 2. */
  strict: boolean;
  /** Whether machines are clones of a template, and where holes of that take no room. */
  clones: boolean;
  holes: boolean;
}

/** The memory of a machine for a container without limits, in MiB: a power of two, half of the host's at most. */
export function defaultMemoryMiB({ hostMiB, strict, clones, holes }: MemorySource): number {
  if (strict || !clones || !holes) return leastMiB;
  const share = 2 ** Math.floor(Math.log2(Math.max(1, hostMiB / 2)));
  return Math.max(leastMiB, Math.min(mostMiB, share));
}

/**
 * What this host, a driver and the place of its templates come to.
 * @param driver its name, or `auto`
 * @param share by what files are to be shared, if something is said of it
 * @param templates their directory; undefined: there are none
 */
export function memorySource(driver: string, share: string | undefined, templates: string | undefined): MemorySource {
  const chosen = driver === "auto" ? auto() : drivers().find(({ name }) => name === driver);
  return {
    hostMiB: totalmem() / 2 ** 20,
    strict: read("/proc/sys/vm/overcommit_memory") === "2",
    // virtiofsd must see the memory, so each clone has a copy of the template's.
    clones: chosen?.capabilities.template === true && templates !== undefined && share !== "virtiofs",
    holes: templates === undefined || !hasNoHoles(templates),
  };
}

/** What `auto` will be, as far as it matters here, without a look at each. */
function auto() {
  const name = isFirstDomain() ? "xen" : "qemu";
  return drivers().find((driver) => driver.name === name);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return undefined;
  }
}
