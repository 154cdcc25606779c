/** The limits of a container's cgroup on the host: what its limits come to for its machine as a whole. */
import { readFileSync, writeFileSync } from "node:fs";
import { RunvError } from "../../base/error";
import { type Hierarchy, hierarchies } from "../../linux/cgroups";
import type { Resources } from "../../oci/resources";
import { blockIoFiles } from "./host-block-io";

/** What the hypervisor, the monitor and the shims need beside the machine's memory. In bytes. */
const overhead = 512 * 2 ** 20;

/** A file of a cgroup, and what to write to it. */
type Limit = readonly [file: string, value: string];

/** The files that hold these limits; what is absent or 0 is left as it is. @param memoryMiB the machine's, and what its hypervisor needs of its own */
export function hostLimits(hierarchy: Hierarchy, resources: Resources | undefined, memoryMiB: number): Limit[] {
  const { cpu = {}, memory = {}, blockIO } = resources ?? {};
  const has = (controller: string) => hierarchy.version === 2 || hierarchy.controllers.includes(controller);
  const limit = memory.limit ?? 0;
  const bytes = limit > 0 ? memoryMiB * 2 ** 20 + overhead : limit;
  const burst = cpu.burst?.toString();
  const files: (readonly [string, string | undefined])[] = [];
  if (has("cpuset")) files.push(["cpuset.cpus", cpu.cpus || undefined], ["cpuset.mems", cpu.mems || undefined]);
  if (hierarchy.version === 2) {
    const max = (value: number) => (value < 0 ? "max" : String(value));
    const { quota = 0, period = 0 } = cpu;
    if (bytes !== 0) files.push(["memory.max", max(bytes)]);
    if (quota !== 0) files.push(["cpu.max", `${max(quota)} ${period || 100_000}`]);
    files.push(["cpu.max.burst", burst]);
  } else {
    const set = (value: number | undefined) => (value ? String(value) : undefined);
    if (has("memory")) files.push(["memory.limit_in_bytes", set(bytes)]);
    if (has("blkio")) files.push(...weightFiles.map((file) => [file, set(blockIO?.weight)] as const));
    if (has("cpu")) {
      files.push(["cpu.shares", set(cpu.shares)]);
      files.push(["cpu.cfs_period_us", set(cpu.period)], ["cpu.cfs_quota_us", set(cpu.quota)]);
      files.push(["cpu.cfs_burst_us", burst]);
      files.push(["cpu.rt_period_us", set(cpu.realtimePeriod)], ["cpu.rt_runtime_us", set(cpu.realtimeRuntime)]);
    }
  }
  if (has("pids")) files.push(["pids.max", hostTasks(resources?.pids?.limit)]);
  if (has("blkio")) files.push(...blockIoFiles(hierarchy.version, blockIO));
  return files.filter((file): file is Limit => file[1] !== undefined);
}

/** What a hypervisor with its threads, the monitor, and the shim of each process may have, in tasks. */
const [machineTasks, shimTasks] = [512, 16];

/** A machine's own processes are none of the host's; but each one that was started from outside has a shim. */
function hostTasks(limit: number | undefined): string | undefined {
  if (limit === undefined || limit === 0) return undefined;
  return limit < 0 ? "max" : String(Math.min(machineTasks + limit * shimTasks, mostTasks));
}

/** linux/threads.h: more there cannot be. */
const mostTasks = 4_194_304;

/** The weight belongs to the scheduler: a host has one of these files, or neither. */
const weightFiles = ["blkio.bfq.weight", "blkio.weight"];

/** Limits that have no other place than the host. */
const hostOnly: Readonly<Record<string, string>> = {
  "blkio.weight": "block I/O weight",
  "cpu.rt_period_us": "realtime period",
  "cpu.rt_runtime_us": "realtime runtime",
};

/**
 * Changes the limits of a container's cgroup: all of them or none.
 * @param directories of the cgroup
 * @returns a function that puts back what was there
 * @throws RunvError CGROUP, or UNSUPPORTED for what this host's cgroups do not have
 */
export function changeHostLimits(directories: readonly string[], resources: Resources, memoryMiB: number): () => void {
  const changed: Limit[] = [];
  const undo = () => {
    for (const [file, value] of changed.reverse()) writeQuietly(file, value);
  };
  try {
    for (const directory of directories) {
      const hierarchy = hierarchies().find(({ mountPoint }) => `${directory}/`.startsWith(`${mountPoint}/`));
      if (hierarchy === undefined) continue;
      for (const [name, value] of inOrder(directory, hostLimits(hierarchy, resources, memoryMiB))) {
        const old = change(directory, name, value);
        if (old !== undefined) changed.push([`${directory}/${name}`, old]);
      }
    }
  } catch (error) {
    undo();
    throw error;
  }
  return undo;
}

/** A quota must be possible with its period at each moment: a period that shrinks comes after it. So must a realtime runtime. */
export function inOrder(directory: string, limits: Limit[]): Limit[] {
  const shrinks = ([name, value]: Limit) =>
    periods.includes(name) && Number(value) < Number(read(`${directory}/${name}`) ?? 0);
  return [...limits.filter((limit) => !shrinks(limit)), ...limits.filter(shrinks)];
}

const periods = ["cpu.cfs_period_us", "cpu.rt_period_us"];

/** @returns what was there; undefined when there is no such file */
function change(directory: string, name: string, value: string): string | undefined {
  const file = `${directory}/${name}`;
  const old = read(file);
  if (old === undefined) {
    const what = hostOnly[name];
    const elsewhere = weightFiles.includes(name) && weightFiles.some((other) => read(`${directory}/${other}`));
    if (what === undefined || elsewhere) return undefined;
    throw new RunvError("UNSUPPORTED", `set the ${what} to ${value}: the cgroups of this host have none (${name})`);
  }
  try {
    writeFileSync(file, value);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new RunvError("CGROUP", `set ${file} to ${value}: ${code}`, { cause });
  }
  return old;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** Limits of the host are a second wall: the guest has set its own. A host that does not have one is no error. */
export function writeQuietly(file: string, value: string): void {
  try {
    writeFileSync(file, value);
  } catch {
    // The controller is not there, or the value does not suit the host.
  }
}
