/** linux.resources, in the names of cgroup v1 as the specification has them: config-linux.md, "Control groups". */
import { deviceRules } from "./devices";
import { checked, type Infer, list, map, object, optional, optionalString, type Reader } from "./reader";
import { boolean, int64, limit64, string, uint16, uint32, uint64 } from "./scalars";
import { numberList } from "./scheduling";

/** Bytes; -1 is "unlimited". */
const memory = object({
  limit: optional(limit64),
  /** The soft limit. */
  reservation: optional(limit64),
  /** Memory and swap together. */
  swap: optional(limit64),
  kernel: optional(limit64),
  kernelTCP: optional(limit64),
  /** 0 to 100; Docker 1.12 and before wrote -1 as 2^64-1. */
  swappiness: optional(uint64),
  disableOOMKiller: optional(boolean),
  useHierarchy: optional(boolean),
  checkBeforeUpdate: optional(boolean),
});

/** Times in microseconds. */
const cpu = object({
  shares: optional(uint64),
  quota: optional(limit64),
  burst: optional(uint64),
  period: optional(uint64),
  realtimeRuntime: optional(limit64),
  realtimePeriod: optional(uint64),
  cpus: optionalString(numberList),
  mems: optionalString(numberList),
  idle: optional(int64),
});

const weightDevice = object({
  major: int64,
  minor: int64,
  weight: optional(uint16),
  leafWeight: optional(uint16),
});

const throttleDevice = object({ major: int64, minor: int64, rate: uint64 });

const blockIO = object({
  weight: optional(uint16),
  leafWeight: optional(uint16),
  weightDevice: list(weightDevice),
  throttleReadBpsDevice: list(throttleDevice),
  throttleWriteBpsDevice: list(throttleDevice),
  throttleReadIOPSDevice: list(throttleDevice),
  throttleWriteIOPSDevice: list(throttleDevice),
});

const hugepageLimit = object({
  pageSize: checked(string, (size) => (/^[1-9]\d*[KMG]B$/.test(size) ? undefined : 'must be a size such as "2MB"')),
  limit: uint64,
});

const network = object({
  classID: optional(uint32),
  priorities: list(object({ name: string, priority: uint32 })),
});

const rdma = object({ hcaHandles: optional(uint32), hcaObjects: optional(uint32) });

/** Files of cgroup v2 and what to write into them: a name must not lead out of the cgroup. */
const unified: Reader<Record<string, string>> = checked(map(string), (files) => {
  const bad = Object.keys(files).find((name) => !/^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$/.test(name));
  return bad === undefined ? undefined : `${JSON.stringify(bad)} is not the name of a cgroup v2 file`;
});

export const resources = object({
  devices: deviceRules,
  memory: optional(memory),
  cpu: optional(cpu),
  pids: optional(object({ limit: optional(limit64) })),
  blockIO: optional(blockIO),
  hugepageLimits: list(hugepageLimit),
  network: optional(network),
  rdma: optional(map(rdma)),
  unified: optional(unified),
});

export interface Resources extends Infer<typeof resources> {}
export interface MemoryResources extends Infer<typeof memory> {}
export interface CpuResources extends Infer<typeof cpu> {}
export interface BlockIOResources extends Infer<typeof blockIO> {}
