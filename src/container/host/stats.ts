/** What a container on this host uses, from its own cgroups, in the format of runc's `events`. */
import { readdirSync, readFileSync } from "node:fs";
import { cgroupsOf } from "../cgroup/host-cgroup";
import type { ContainerRecord } from "../record/store";
import { type Entry, entry, type Files, interfaces, keys, number, numbersOf, withoutZeros } from "../stat-values";
import { statFiles, statsOf } from "../stats";

/** The field `data` of runc's event. */
export function hostStats({ cgroup, shim }: ContainerRecord): Record<string, unknown> {
  const cgroups = cgroupsOf(cgroup);
  const network = read(`/proc/${shim?.pid}/net/dev`);
  const unified = cgroups.find(({ hierarchy }) => hierarchy.version === 2);
  if (unified !== undefined)
    return { ...statsOf(filesOf(unified.directory, statFiles)), network_interfaces: interfaces(network) };
  return { ...legacyStats(filesOfControllers(cgroups)), network_interfaces: interfaces(network) };
}

/** How often the end of memory has cost the container a process. */
export function countHostOomKills(directories: readonly string[]): number {
  const counts = directories.flatMap((directory) =>
    ["memory.events", "memory.oom_control"].map((file) => keys(read(`${directory}/${file}`)).get("oom_kill")),
  );
  return Number(number(counts.find((count) => count !== undefined)));
}

/** Each file's name begins with that of its controller, so those of all hierarchies are in one map. */
function filesOfControllers(cgroups: ReturnType<typeof cgroupsOf>): Files {
  const controllers = ["cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "hugetlb"];
  const files = new Map<string, string>();
  for (const { hierarchy, directory } of cgroups) {
    for (const controller of controllers.filter((name) => hierarchy.controllers.includes(name))) {
      const names = readdirSync(directory).filter((name) => name.startsWith(`${controller}.`));
      for (const [name, text] of filesOf(directory, names)) files.set(name, text);
    }
  }
  return files;
}

function filesOf(directory: string, names: readonly string[]): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of names) {
    const text = read(`${directory}/${name}`);
    if (text !== undefined) files.set(name, text);
  }
  return files;
}

/** Some files can be written only, and a cgroup may go meanwhile. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** What version 1 has (Documentation/admin-guide/cgroup-v1). @param files of all its controllers */
export function legacyStats(files: Files): Record<string, unknown> {
  const value = (name: string) => number(files.get(name)?.trim());
  return {
    cpu: cpu(files, value),
    cpuset: cpuset(files),
    memory: memory(files, value),
    pids: withoutZeros({ current: value("pids.current"), limit: value("pids.max") }),
    blkio: blkio(files),
    hugetlb: hugetlb(files, value),
    intel_rdt: {},
  };
}

type Value = (name: string) => bigint;

/** Nanoseconds in one of the ticks in which cpuacct.stat counts: USER_HZ is 100 on every architecture that runv has. */
const tick = 10_000_000n;

function cpu(files: Files, value: Value): unknown {
  const stat = keys(files.get("cpu.stat"));
  const account = keys(files.get("cpuacct.stat"));
  const numbers = (text = "") => text.trim().split(/\s+/).filter(Boolean).map(number);
  // A line of titles, then one for each processor: its number, user, system.
  const each = (files.get("cpuacct.usage_all") ?? "").trim().split("\n").slice(1).map(numbers);
  const list = (name: string, all: bigint[]) => (all.length === 0 ? {} : { [name]: all });
  return {
    usage: {
      ...withoutZeros({ total: value("cpuacct.usage") }),
      ...list("percpu", numbers(files.get("cpuacct.usage_percpu"))),
      ...list(
        "percpu_kernel",
        each.map(([, , system = 0n]) => system),
      ),
      ...list(
        "percpu_user",
        each.map(([, user = 0n]) => user),
      ),
      kernel: number(account.get("system")) * tick,
      user: number(account.get("user")) * tick,
    },
    throttling: withoutZeros({
      periods: number(stat.get("nr_periods")),
      throttledPeriods: number(stat.get("nr_throttled")),
      throttledTime: number(stat.get("throttled_time")),
    }),
  };
}

const cpusetFlags = [
  ...["cpu_exclusive", "mems", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page"],
  ...["memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level"],
];

/** sched_relax_domain_level may be -1. */
function cpuset(files: Files): unknown {
  const list = (name: string) => numbersOf(files.get(`cpuset.${name}`)?.trim() ?? "");
  const entries = ["cpus", ...cpusetFlags].flatMap((name): [string, unknown][] => {
    if (name !== "cpus" && name !== "mems") return [[name, Number(files.get(`cpuset.${name}`) ?? 0)]];
    return list(name).length === 0 ? [] : [[name, list(name)]];
  });
  return Object.fromEntries(entries);
}

function memory(files: Files, value: Value): unknown {
  const stat = keys(files.get("memory.stat"));
  const of = (prefix: string) =>
    entry({
      limit: value(`${prefix}.limit_in_bytes`),
      usage: value(`${prefix}.usage_in_bytes`),
      max: value(`${prefix}.max_usage_in_bytes`),
      failcnt: value(`${prefix}.failcnt`),
    });
  return {
    ...withoutZeros({ cache: number(stat.get("cache")) }),
    usage: of("memory"),
    swap: of("memory.memsw"),
    kernel: of("memory.kmem"),
    kernelTCP: of("memory.kmem.tcp"),
    ...(stat.size > 0 && { raw: Object.fromEntries([...stat].sort().map(([key, text]) => [key, number(text)])) }),
  };
}

/** The tables, and the file of each without its beginning: of the scheduler BFQ where that counts, else of what throttles. */
const tables: Readonly<Record<string, string>> = {
  ioServiceBytesRecursive: "io_service_bytes_recursive",
  ioServicedRecursive: "io_serviced_recursive",
  ioQueueRecursive: "io_queued_recursive",
  ioServiceTimeRecursive: "io_service_time_recursive",
  ioWaitTimeRecursive: "io_wait_time_recursive",
  ioMergedRecursive: "io_merged_recursive",
  ioTimeRecursive: "time_recursive",
  sectorsRecursive: "sectors_recursive",
};

/** The lines are "MAJOR:MINOR OPERATION NUMBER", or "MAJOR:MINOR NUMBER"; the last is the sum. */
function blkio(files: Files): unknown {
  const linesOf = (name: string) =>
    [...(files.get(name) ?? "").matchAll(/^(\d+):(\d+) (?:([A-Z][a-z]+) )?(\d+)$/gm)].map(
      ([, major, minor, op, count]) => ({
        ...withoutZeros({ major: number(major), minor: number(minor) }),
        ...(op !== undefined && { op }),
        ...withoutZeros({ value: number(count) }),
      }),
    );
  const entries = Object.entries(tables).flatMap(([table, file]) => {
    const all = ["blkio.bfq", "blkio.throttle"].map((prefix) => linesOf(`${prefix}.${file}`));
    const lines = all.find((found) => found.length > 0);
    return lines === undefined ? [] : [[table, lines]];
  });
  return Object.fromEntries(entries);
}

function hugetlb(files: Files, value: Value): unknown {
  const sizes = [...files.keys()].flatMap((name) => /^hugetlb\.(\w+)\.usage_in_bytes$/.exec(name)?.[1] ?? []);
  const of = (size: string): Entry => ({
    ...withoutZeros({
      usage: value(`hugetlb.${size}.usage_in_bytes`),
      max: value(`hugetlb.${size}.max_usage_in_bytes`),
    }),
    failcnt: value(`hugetlb.${size}.failcnt`),
  });
  return Object.fromEntries(sizes.map((size) => [size, of(size)]));
}
