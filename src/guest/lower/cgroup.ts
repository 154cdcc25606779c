/** The container's cgroup in the guest, which has cgroup v2 (Documentation/admin-guide/cgroup-v2.rst). */
import { AT_FDCWD } from "../../linux/constants";
import type { Resources } from "../../oci/resources";
import type { Assembler } from "../../program/assembler";
import { writeFile } from "../../program/files";
import { cgroupPath } from "../prepare";

/** The directory of a container's cgroup in the guest. */
export function cgroupOf(id: string): string {
  return `${cgroupPath}/${id}`;
}

/** Makes the container's cgroup with its limits. */
export function lowerCgroup(p: Assembler, id: string, resources: Resources | undefined): void {
  p.doing("make the container's cgroup");
  p.syscall("mkdirat", [AT_FDCWD, p.text(cgroupOf(id)), 0o755]);
  for (const [file, value] of resources === undefined ? [] : cgroupFiles(resources)) {
    p.doing(`set ${file} of the container's cgroup to ${JSON.stringify(value)}`);
    writeFile(p, `${cgroupOf(id)}/${file}`, value);
  }
}

/** Moves the calling process into the container's cgroup. */
export function joinCgroup(p: Assembler, id: string): void {
  p.doing("join the container's cgroup");
  writeFile(p, `${cgroupOf(id)}/cgroup.procs`, "0");
}

/**
 * Resources, in the specification's names of cgroup v1, as files of cgroup v2, the way runc translates them
 * (config-linux.md, "Control groups").
 */
export function cgroupFiles(resources: Resources): [file: string, value: string][] {
  const { memory, cpu, pids, hugepageLimits = [], unified = {} } = resources;
  const files: [string, string][] = [];
  const set = (file: string, value: string | undefined) => {
    if (value !== undefined) files.push([file, value]);
  };
  set("memory.max", limit(memory?.limit));
  set("memory.low", limit(memory?.reservation));
  set("memory.swap.max", swapLimit(memory?.swap, memory?.limit));
  set("cpu.weight", cpuWeight(cpu?.shares));
  set("cpu.max", cpuMax(cpu?.quota, cpu?.period));
  set("cpu.max.burst", cpu?.burst?.toString());
  set("cpu.idle", cpu?.idle?.toString());
  set("cpuset.cpus", cpu?.cpus || undefined);
  set("cpuset.mems", cpu?.mems || undefined);
  set("pids.max", limit(pids?.limit));
  for (const { pageSize, limit: bytes } of hugepageLimits) set(`hugetlb.${pageSize}.max`, String(bytes));
  for (const [file, value] of Object.entries(unified)) set(file, value);
  return files;
}

/** 0 and absent leave it as it is; negative is none. */
function limit(value: number | bigint | undefined): string | undefined {
  if (value === undefined || Number(value) === 0) return undefined;
  return Number(value) < 0 ? "max" : String(value);
}

/** v1 limits memory and swap together, v2 swap alone. */
function swapLimit(both: number | bigint | undefined, memory: number | bigint | undefined): string | undefined {
  if (both === undefined || Number(both) === 0) return undefined;
  if (Number(both) < 0) return "max";
  if (memory === undefined || Number(memory) <= 0) return undefined;
  return String(BigInt(both) - BigInt(memory));
}

/** 2…262144 shares to a weight of 1…10000. */
function cpuWeight(shares: number | bigint | undefined): string | undefined {
  if (shares === undefined || Number(shares) === 0) return undefined;
  const bounded = Math.min(Math.max(Number(shares), 2), 262_144);
  return String(1 + Math.floor(((bounded - 2) * 9999) / 262_142));
}

function cpuMax(quota: number | bigint | undefined, period: number | bigint | undefined): string | undefined {
  const hasQuota = quota !== undefined && Number(quota) !== 0;
  const hasPeriod = period !== undefined && Number(period) !== 0;
  if (!hasQuota && !hasPeriod) return undefined;
  const share = hasQuota && Number(quota) > 0 ? String(quota) : "max";
  return hasPeriod ? `${share} ${period}` : share;
}
