/** Stats: what a container uses in its guest, as `io.containerd.cgroups.v2.Metrics`, whatever the host's cgroups are. */
import { codecs } from "../protobuf/codec";
import { many, one } from "../protobuf/fields";
import type { Message } from "./messages";

/** The numbers of memory.stat that the message has, in the order of their fields. */
const memoryKeys = [
  ...["anon", "file", "kernel_stack", "slab", "sock", "shmem", "file_mapped", "file_dirty", "file_writeback"],
  ...["anon_thp", "inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable", "slab_reclaimable"],
  ...["slab_unreclaimable", "pgfault", "pgmajfault", "workingset_refault", "workingset_activate"],
  ...["workingset_nodereclaim", "pgrefill", "pgscan", "pgsteal", "pgactivate", "pgdeactivate", "pglazyfree"],
  ...["pglazyfreed", "thp_fault_alloc", "thp_collapse_alloc"],
];
/** The files of memory that follow. */
const memoryFiles = {
  usage: "memory.current",
  usage_limit: "memory.max",
  swap_usage: "memory.swap.current",
  swap_limit: "memory.swap.max",
  max_usage: "memory.peak",
} as const;

const number = (id: number) => one(id, "uint64");
const cpuKeys = ["usage_usec", "user_usec", "system_usec", "nr_periods", "nr_throttled", "throttled_usec"];
const eventKeys = ["low", "high", "max", "oom", "oom_kill"];
const ioKeys = ["rbytes", "wbytes", "rios", "wios"];

const numbered = (keys: readonly string[], from = 1) =>
  Object.fromEntries(keys.map((key, index) => [key, number(index + from)]));

const messages = {
  Metrics: {
    pids: one(1, "PidsStat"),
    cpu: one(2, "CPUStat"),
    memory: one(4, "MemoryStat"),
    io: one(6, "IOStat"),
    hugetlb: many(7, "HugeTlbStat"),
    memory_events: one(8, "MemoryEvents"),
  },
  PidsStat: { current: number(1), limit: number(2) },
  CPUStat: numbered(cpuKeys),
  MemoryStat: { ...numbered(memoryKeys), ...numbered(Object.keys(memoryFiles), memoryKeys.length + 1) },
  IOStat: { usage: many(1, "IOEntry") },
  IOEntry: { major: number(1), minor: number(2), ...numbered(ioKeys, 3) },
  HugeTlbStat: { current: number(1), max: number(2), pagesize: one(3, "string") },
  MemoryEvents: numbered(eventKeys),
} as const;

export const metricsCodec = codecs(messages)("Metrics");

type Files = ReadonlyMap<string, string>;

/** @param files of the container's cgroup in the guest, of which nothing is trusted */
export function metricsOf(files: Files): Message<"Any"> {
  const { workingset_refault_anon: anon, workingset_refault_file: file, ...stat } = keysOf(files, "memory.stat");
  const memory = {
    // Since Linux 5.9 it is told by kinds.
    ...((anon ?? file) !== undefined && { workingset_refault: (anon ?? 0n) + (file ?? 0n) }),
    ...only(stat, memoryKeys),
    ...Object.fromEntries(Object.entries(memoryFiles).map(([key, name]) => [key, fileValue(files, name)])),
  };
  const value = metricsCodec.encode({
    pids: { current: fileValue(files, "pids.current"), limit: limitOf(files, "pids.max") },
    cpu: only(keysOf(files, "cpu.stat"), cpuKeys),
    memory,
    io: { usage: ioOf(files.get("io.stat") ?? "") },
    hugetlb: hugetlbOf(files),
    memory_events: only(keysOf(files, "memory.events"), eventKeys),
  });
  return { type_url: "io.containerd.cgroups.v2.Metrics", value };
}

const unlimited = 2n ** 64n - 1n;

/** No number of more than 64 bits comes of what a guest says. */
function parse(text: string | undefined): bigint {
  const value = /^\d{1,20}$/.test(text ?? "") ? BigInt(text!) : 0n;
  return value > unlimited ? unlimited : value;
}

/** A file with one number; "max" is the largest there is. */
function fileValue(files: Files, name: string): bigint {
  const text = files.get(name)?.trim();
  return text === "max" ? unlimited : parse(text);
}

/** As containerd has it, no limit of processes is 0. */
function limitOf(files: Files, name: string): bigint {
  const limit = fileValue(files, name);
  return limit === unlimited ? 0n : limit;
}

/** A file with a name and a number on each line. */
function keysOf(files: Files, name: string): Record<string, bigint> {
  const lines = (files.get(name) ?? "").matchAll(/^(\w{1,64}) (\d{1,20})$/gm);
  return Object.fromEntries([...lines].map(([, key, text]) => [key!, parse(text)]));
}

function only(entry: Readonly<Record<string, bigint>>, keys: readonly string[]): Record<string, bigint> {
  return Object.fromEntries(keys.flatMap((key) => (Object.hasOwn(entry, key) ? [[key, entry[key]!]] : [])));
}

function ioOf(stat: string) {
  return [...stat.matchAll(/^(\d{1,10}):(\d{1,10}) (.*)$/gm)].map(([, major, minor, rest]) => ({
    major: parse(major),
    minor: parse(minor),
    ...only(
      Object.fromEntries(rest!.split(" ").map((item) => [item.split("=")[0]!, parse(item.split("=")[1])])),
      ioKeys,
    ),
  }));
}

function hugetlbOf(files: Files) {
  const sizes = [...files.keys()].flatMap((name) => /^hugetlb\.(\w{1,16})\.current$/.exec(name)?.[1] ?? []);
  return sizes.map((pagesize) => ({ pagesize, current: fileValue(files, `hugetlb.${pagesize}.current`) }));
}
