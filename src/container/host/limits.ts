/** The limits of a container's own processes in this host's cgroups: unlike those around a virtual machine, each is what config.json says, or an error. */
import { readFileSync, writeFileSync } from "node:fs";
import { RunvError } from "../../base/error";
import { deviceList } from "../../guest/lower/device-rules";
import { cgroupFiles } from "../../guest/lower/resources";
import type { Hierarchy } from "../../linux/cgroups";
import { BPF_DEVCG_ACC_MKNOD, BPF_DEVCG_ACC_READ, BPF_DEVCG_ACC_WRITE } from "../../linux/ebpf";
import type { Resources } from "../../oci/resources";
import { blockIoFiles } from "../cgroup/host-block-io";
import type { OwnCgroup } from "../cgroup/host-cgroup";
import { writeQuietly } from "../cgroup/host-limits";

/** A file of a cgroup, and what to write to it; `optional`: it may not be there. */
interface Limit {
  file: string;
  value: string;
  optional?: boolean;
}

/** Sets the devices that may be used, where that is done by files: in version 1. @throws RunvError CGROUP */
export function setDevices(cgroups: readonly OwnCgroup[], resources: Resources | undefined): void {
  for (const { hierarchy, directory } of cgroups) {
    if (!hierarchy.controllers.includes("devices")) continue;
    for (const limit of legacyDevices(resources)) write(directory, limit);
  }
}

/**
 * Sets the limits: all of them or none.
 * @returns a function that puts back what was there
 * @throws RunvError CGROUP, CONFIG_INVALID, CONFIG_UNSUPPORTED
 */
export function setLimits(cgroups: readonly OwnCgroup[], resources: Resources): () => void {
  const undo: (() => void)[] = [];
  const putBack = () => {
    for (const step of undo.splice(0).reverse()) step();
  };
  try {
    for (const { hierarchy, directory } of cgroups) {
      for (const limit of limitsIn(hierarchy, directory, resources)) {
        const before = read(`${directory}/${limit.file}`);
        write(directory, limit);
        if (before !== undefined) undo.push(() => writeQuietly(`${directory}/${limit.file}`, before));
      }
    }
    requireControllers(cgroups, resources);
  } catch (error) {
    putBack();
    throw error;
  }
  return putBack;
}

function limitsIn({ version, controllers }: Hierarchy, directory: string, resources: Resources): Limit[] {
  if (version === 2) return unifiedLimits(resources);
  const byController = Object.entries(legacyLimits(resources, directory));
  return byController.flatMap(([controller, limits]) => (controllers.includes(controller) ? limits : []));
}

/** Version 2 has no realtime limits and no marks of packets. */
function unifiedLimits(resources: Resources): Limit[] {
  const { cpu, network } = resources;
  const missing = {
    "cpu.realtimeRuntime": cpu?.realtimeRuntime,
    "cpu.realtimePeriod": cpu?.realtimePeriod,
    "network.classID": network?.classID,
    "network.priorities": network?.priorities.length,
  };
  for (const [field, value] of Object.entries(missing)) {
    if (!value) continue;
    throw new RunvError("CONFIG_UNSUPPORTED", `linux.resources.${field}: this host has cgroups of version 2`);
  }
  const files = cgroupFiles(resources).map(({ file, value, accept = [] }) => ({
    file,
    value,
    optional: accept.includes("ENOENT"),
  }));
  const blocks = blockIoFiles(2, resources.blockIO).map(([file, value]) => ({ file, value }));
  return [...files, ...blocks, ...rdmaLimits(resources)];
}

/** What version 1 has the limits in, by controller (Documentation/admin-guide/cgroup-v1). */
function legacyLimits(resources: Resources, directory: string): Record<string, Limit[]> {
  const { memory = {}, cpu = {}, pids, blockIO, hugepageLimits = [], network, unified = {} } = resources;
  if (Object.keys(unified).length > 0) {
    throw new RunvError("CONFIG_UNSUPPORTED", "linux.resources.unified: this host has cgroups of version 1");
  }
  const set = (file: string, value: number | bigint | string | undefined): Limit[] =>
    value === undefined || value === 0 || value === "" ? [] : [{ file, value: String(value) }];
  return {
    memory: [
      ...memorySizes(memory, directory),
      ...set("memory.soft_limit_in_bytes", memory.reservation),
      ...set("memory.kmem.tcp.limit_in_bytes", memory.kernelTCP),
      ...(memory.disableOOMKiller ? set("memory.oom_control", 1) : []),
      ...swappiness(memory.swappiness),
    ],
    cpu: [
      ...set("cpu.shares", cpu.shares),
      ...(cpu.idle === undefined ? [] : [{ file: "cpu.idle", value: String(cpu.idle) }]),
      ...share(directory, ["cpu.cfs_period_us", cpu.period], ["cpu.cfs_quota_us", cpu.quota]),
      ...share(directory, ["cpu.rt_period_us", cpu.realtimePeriod], ["cpu.rt_runtime_us", cpu.realtimeRuntime]),
      ...(cpu.burst === undefined ? [] : [{ file: "cpu.cfs_burst_us", value: String(cpu.burst) }]),
    ],
    cpuset: [...set("cpuset.cpus", cpu.cpus), ...set("cpuset.mems", cpu.mems)],
    pids: pids?.limit ? [{ file: "pids.max", value: pids.limit < 0 ? "max" : String(pids.limit) }] : [],
    blkio: [
      ...weight(blockIO?.weight, directory),
      ...blockIoFiles(1, blockIO).map(([file, value]) => ({ file, value })),
    ],
    hugetlb: hugepageLimits.map(({ pageSize, limit }) => ({
      file: `hugetlb.${pageSize}.limit_in_bytes`,
      value: String(limit),
    })),
    net_cls: set("net_cls.classid", network?.classID),
    net_prio: (network?.priorities ?? []).map(({ name, priority }) => ({
      file: "net_prio.ifpriomap",
      value: `${name} ${priority}`,
    })),
    rdma: rdmaLimits(resources),
  };
}

/** The same in both versions (Documentation/admin-guide/cgroup-v1/rdma.rst). */
function rdmaLimits({ rdma = {} }: Resources): Limit[] {
  const max = (value: number | undefined) => value ?? "max";
  return Object.entries(rdma).map(([device, { hcaHandles, hcaObjects }]) => ({
    file: "rdma.max",
    value: `${device} hca_handle=${max(hcaHandles)} hca_object=${max(hcaObjects)}`,
  }));
}

type Memory = NonNullable<Resources["memory"]>;

/** Memory and memory with swap must be possible together at each moment: who grows them sets the sum first. A host may count no swap. */
function memorySizes({ limit = 0, swap = 0 }: Memory, directory: string): Limit[] {
  const plain = { file: "memory.limit_in_bytes", value: String(limit) };
  const both = { file: "memory.memsw.limit_in_bytes", value: String(swap || limit) };
  if (limit === 0) return swap === 0 ? [] : [both];
  if (limit > 0 && swap > 0 && swap < limit) {
    throw new RunvError("CONFIG_INVALID", "linux.resources.memory.swap: memory+swap limit should be >= memory limit");
  }
  if (swap === 0 && limit > 0) return [plain];
  const sum = { ...both, optional: swap === 0 };
  const before = Number(read(`${directory}/${sum.file}`) ?? 0);
  return Number(sum.value) < 0 || Number(sum.value) > before ? [sum, plain] : [plain, sum];
}

/** -1, which Docker 1.12 and before wrote as 2^64-1, is none. */
function swappiness(value: number | bigint | undefined): Limit[] {
  return value === undefined || BigInt(value) > 100n ? [] : [{ file: "memory.swappiness", value: String(value) }];
}

/** A share of each period must be possible at each moment: a period that shrinks comes after it. */
function share(directory: string, ...files: [name: string, value: number | undefined][]): Limit[] {
  const [period] = files as [[string, number | undefined]];
  const shrinks = (period[1] ?? 0) < Number(read(`${directory}/${period[0]}`) ?? 0);
  const given = files.flatMap(([file, value]) => (value ? [{ file, value: String(value) }] : []));
  return shrinks ? given.reverse() : given;
}

/** The weight belongs to the scheduler: a host has one of these files, or neither. */
function weight(value: number | undefined, directory: string): Limit[] {
  if (!value) return [];
  const files = ["blkio.weight", "blkio.bfq.weight"];
  return [
    { file: files.find((file) => read(`${directory}/${file}`) !== undefined) ?? files[0]!, value: String(value) },
  ];
}

/** The devices as lines of devices.allow and devices.deny, behind one for all of them. */
function legacyDevices(resources: Resources | undefined): Limit[] {
  const { allow, exceptions } = deviceList(resources?.devices ?? []);
  const [all, each] = allow ? ["devices.allow", "devices.deny"] : ["devices.deny", "devices.allow"];
  const number = (value: number | undefined) => value ?? "*";
  return [
    { file: all, value: "a" },
    ...exceptions.map(({ type, major, minor, access }) => ({
      file: each,
      value: `${type} ${number(major)}:${number(minor)} ${accessText(access)}`,
    })),
  ];
}

function accessText(access: number): string {
  const letters = { r: BPF_DEVCG_ACC_READ, w: BPF_DEVCG_ACC_WRITE, m: BPF_DEVCG_ACC_MKNOD };
  return Object.entries(letters)
    .filter(([, bit]) => access & bit)
    .map(([letter]) => letter)
    .join("");
}

/** A limit without a cgroup that could hold it is an error: somebody relies on it. */
function requireControllers(cgroups: readonly OwnCgroup[], resources: Resources): void {
  if (cgroups.some(({ hierarchy }) => hierarchy.version === 2)) return;
  for (const [controller, limits] of Object.entries(legacyLimits(resources, "/"))) {
    if (limits.length === 0 || cgroups.some(({ hierarchy }) => hierarchy.controllers.includes(controller))) continue;
    throw new RunvError("CGROUP", `set ${limits[0]!.file}: this host has no cgroup hierarchy with ${controller}`, {
      hint: "mount one below /sys/fs/cgroup, or leave the limit out",
    });
  }
}

function write(directory: string, { file, value, optional = false }: Limit): void {
  try {
    writeFileSync(`${directory}/${file}`, value, { flag: "r+" });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (optional && code === "ENOENT") return;
    throw new RunvError("CGROUP", `set ${file} of the container's cgroup to ${JSON.stringify(value)}: ${code}`, {
      cause,
      hint: `the cgroup is ${directory}`,
    });
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}
