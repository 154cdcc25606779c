/** What an update changes of a container's limits. */
import { log } from "../base/log";
import { loadResources } from "../oci/bundle";
import { readDocument } from "../oci/mismatch";
import { type Resources, resources } from "../oci/resources";
import type { UpdateOptions } from "./options";

/** What an update asks for. @throws RunvError as `loadBundle` */
export function wantedLimits({ file, limits }: Pick<UpdateOptions, "file" | "limits">): Resources {
  const wanted = file === undefined ? readDocument(resources, limits) : loadResources(file);
  if (wanted.memory?.kernel || wanted.memory?.kernelTCP) {
    log.warn("Kernel memory settings are ignored and will be removed");
  }
  return wanted;
}

/**
 * The limits that are to be written: what is 0, empty or absent in an update is left as it is. A quota is nothing without its
 * period, nor is swap, which is counted together with memory, without memory: what the update does not say of a pair is taken from before.
 */
export function changedLimits(wanted: Resources, before: Resources | undefined): Resources {
  const memory = given(wanted.memory ?? {});
  const cpu = given(wanted.cpu ?? {});
  const old = { memory: given(before?.memory ?? {}), cpu: given(before?.cpu ?? {}) };
  if (cpu.quota !== undefined || cpu.period !== undefined) {
    cpu.quota ??= old.cpu.quota ?? -1;
    cpu.period ??= old.cpu.period ?? defaultPeriod;
  }
  if ((memory.swap ?? 0) > 0 && memory.limit === undefined && old.memory.limit !== undefined) {
    memory.limit = old.memory.limit;
  }
  const pids = given(wanted.pids ?? {});
  return {
    devices: [],
    memory,
    cpu,
    pids,
    hugepageLimits: wanted.hugepageLimits,
    ...(wanted.blockIO && { blockIO: wanted.blockIO }),
    ...(wanted.unified && { unified: wanted.unified }),
  };
}

/** The kernel's, in microseconds. */
const defaultPeriod = 100_000;

/** The container's limits after a change. */
export function mergedLimits(before: Resources | undefined, change: Resources): Resources {
  return {
    ...before,
    ...change,
    devices: before?.devices ?? [],
    memory: { ...before?.memory, ...change.memory },
    cpu: { ...before?.cpu, ...change.cpu },
    pids: { ...before?.pids, ...change.pids },
    unified: { ...before?.unified, ...change.unified },
  };
}

const canBeZero = ["idle", "burst"];

/** Without what is 0, empty or absent, but for those that can be set to 0. */
function given<T extends object>(limits: T): Partial<T> {
  const entries = Object.entries(limits).filter(
    ([key, value]) => (value !== 0 || canBeZero.includes(key)) && value !== "",
  );
  return Object.fromEntries(entries) as Partial<T>;
}
