/**
 * linux.resources, in the specification's names of cgroup v1, as files of cgroup v2, the way runc translates them
 * (config-linux.md, "Control groups"). What names the host's devices and processors is the host's cgroup's.
 */
import { RunvError } from "../../base/error";
import type { ErrnoName } from "../../linux/errno";
import type { BlockIOResources, CpuResources, MemoryResources, Resources } from "../../oci/resources";

/** A file of a cgroup, and what to write to it. */
export interface CgroupFile {
  file: string;
  value: string;
  /** Errors that mean that the limit is not the guest's. */
  accept?: readonly ErrnoName[];
}

/** The files to write, in this order. @throws RunvError CONFIG_INVALID when limits contradict each other */
export function cgroupFiles({
  memory,
  cpu,
  pids,
  blockIO,
  hugepageLimits = [],
  unified = {},
}: Resources): CgroupFile[] {
  return [
    ...memoryFiles(memory ?? {}),
    ...cpuFiles(cpu ?? {}),
    ...file("pids.max", limit(pids?.limit)),
    ...blockFiles(blockIO),
    ...hugepageLimits.map(({ pageSize, limit }) => ({ file: `hugetlb.${pageSize}.max`, value: String(limit) })),
    ...Object.entries(unified).map(([file, value]) => ({ file, value })),
  ];
}

function file(name: string, value: string | undefined, accept: readonly ErrnoName[] = []): CgroupFile[] {
  return value === undefined ? [] : [{ file: name, value, accept }];
}

/** 0 and absent leave it as it is; negative is none. */
function limit(value: number | undefined): string | undefined {
  if (value === undefined || value === 0) return undefined;
  return value < 0 ? "max" : String(value);
}

/** kernel, kernelTCP, swappiness, disableOOMKiller and useHierarchy mean nothing to cgroup v2, and a guest has no swap. */
function memoryFiles({ limit: memory, reservation, swap }: MemoryResources): CgroupFile[] {
  return [
    ...file("memory.swap.max", swapLimit(swap, memory), ["ENOENT"]),
    ...file("memory.max", limit(memory)),
    ...file("memory.low", limit(reservation)),
  ];
}

/** v1 limits memory and swap together, v2 swap alone. */
function swapLimit(both = 0, memory = 0): string | undefined {
  if (both === 0) return memory < 0 ? "max" : undefined;
  if (both < 0) return "max";
  if (memory <= 0) refuse("memory.swap", "unable to set swap limit without memory limit");
  if (both < memory) refuse("memory.swap", "memory+swap limit should be >= memory limit");
  return String(both - memory);
}

function cpuFiles({ shares, quota, period, burst, idle, cpus, mems }: CpuResources): CgroupFile[] {
  // The kernel refuses a burst above the quota: of whichever is there already, too.
  return [
    ...file("cpu.idle", idle === undefined ? undefined : String(idle)),
    ...file("cpu.weight", idle === 1 ? undefined : cpuWeight(shares)),
    ...file("cpu.max", cpuMax(quota, period)),
    ...file("cpu.max.burst", burst === undefined ? undefined : String(burst)),
    // Numbers of the host: the guest has as many processors as the quota fills.
    ...file("cpuset.cpus", cpus, ["EINVAL", "ERANGE"]),
    ...file("cpuset.mems", mems, ["EINVAL", "ERANGE"]),
  ];
}

/** 2…262144 shares to a weight of 1…10000. */
function cpuWeight(shares = 0): string | undefined {
  if (shares === 0) return undefined;
  const bounded = Math.min(Math.max(shares, 2), 262_144);
  return String(1 + Math.floor(((bounded - 2) * 9999) / 262_142));
}

function cpuMax(quota = 0, period = 0): string | undefined {
  if (quota === 0 && period === 0) return undefined;
  const share = quota > 0 ? String(quota) : "max";
  return period === 0 ? share : `${share} ${period}`;
}

/** A weight of 10…1000 for the scheduler that is there: bfq's own, or 1…10000 for the others. */
function blockFiles({ weight = 0 }: Partial<BlockIOResources> = {}): CgroupFile[] {
  if (weight === 0) return [];
  const scaled = 1 + Math.floor(((weight - 10) * 9999) / 990);
  return [
    ...file("io.bfq.weight", String(weight), ["ENOENT"]),
    ...file("io.weight", String(Math.max(scaled, 1)), ["ENOENT"]),
  ];
}

function refuse(field: string, says: string): never {
  throw new RunvError("CONFIG_INVALID", `linux.resources.${field}: ${says}`);
}
