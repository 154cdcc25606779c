/**
 * What a container uses, in the format of runc's `events` (types/events.go there): names of cgroup v1 for the numbers of
 * cgroup v2, translated as runc does on such a machine.
 */
import { networkFile } from "../guest/cgroup-files";
import { entry, type Files, interfaces, keys, number, numbersOf, withoutZeros } from "./stat-values";

/** Sizes of huge pages on the architectures that there are; a guest has some of them. */
const pageSizes = ["64KB", "2MB", "32MB", "1GB"];

/** The files that the numbers come from. */
export const statFiles: readonly string[] = [
  "cpu.stat",
  "memory.stat",
  "memory.events",
  "io.stat",
  "cpuset.cpus",
  "cpuset.mems",
  ...["memory", "memory.swap"].flatMap((name) => [`${name}.current`, `${name}.max`]),
  "memory.peak",
  "pids.current",
  "pids.max",
  ...pageSizes.flatMap((size) => [`hugetlb.${size}.current`, `hugetlb.${size}.events`]),
  networkFile,
];

const unlimited = 2n ** 64n - 1n;

/** The field `data` of runc's event. */
export function statsOf(files: Files): Record<string, unknown> {
  return {
    cpu: cpu(keys(files.get("cpu.stat"))),
    cpuset: cpuset(files),
    memory: memory(files),
    pids: withoutZeros({ current: value(files, "pids.current"), limit: limitOrNone(value(files, "pids.max")) }),
    blkio: blkio(files.get("io.stat") ?? ""),
    hugetlb: hugetlb(files),
    intel_rdt: {},
    network_interfaces: interfaces(files.get(networkFile)),
  };
}

function cpu(stat: Files): unknown {
  const nanoseconds = (key: string) => number(stat.get(key)) * 1000n;
  const usage = { kernel: nanoseconds("system_usec"), user: nanoseconds("user_usec") };
  return {
    usage: { ...withoutZeros({ total: nanoseconds("usage_usec") }), ...usage },
    throttling: withoutZeros({
      periods: number(stat.get("nr_periods")),
      throttledPeriods: number(stat.get("nr_throttled")),
      throttledTime: nanoseconds("throttled_usec"),
    }),
  };
}

/** What version 1 had besides is zero, as runc has it for version 2. */
function cpuset(files: Files): unknown {
  const list = (name: string, key: string) => {
    const numbers = numbersOf(files.get(name)?.trim() ?? "");
    return numbers.length === 0 ? {} : { [key]: numbers };
  };
  return {
    ...list("cpuset.cpus", "cpus"),
    cpu_exclusive: 0,
    ...list("cpuset.mems", "mems"),
    mem_hardwall: 0,
    mem_exclusive: 0,
    memory_migrate: 0,
    memory_spread_page: 0,
    memory_spread_slab: 0,
    memory_pressure: 0,
    sched_load_balance: 0,
    sched_relax_domain_level: 0,
  };
}

function memory(files: Files): unknown {
  const stat = keys(files.get("memory.stat"));
  const events = keys(files.get("memory.events"));
  const own = { limit: value(files, "memory.max"), usage: value(files, "memory.current") };
  const swap = { limit: value(files, "memory.swap.max"), usage: value(files, "memory.swap.current") };
  const none = { limit: 0n, failcnt: 0n };
  return {
    ...withoutZeros({ cache: number(stat.get("file")) }),
    usage: entry({ ...own, max: value(files, "memory.peak"), failcnt: number(events.get("max")) }),
    // Version 1 counted memory and swap together.
    swap: entry({
      limit: swap.limit === unlimited ? unlimited : swap.limit + own.limit,
      usage: swap.usage + own.usage,
      max: 0n,
      failcnt: 0n,
    }),
    kernel: none,
    kernelTCP: none,
    ...(stat.size > 0 && { raw: Object.fromEntries([...stat].sort().map(([key, text]) => [key, number(text)])) }),
  };
}

/** The tables of version 1 that have an equivalent. */
const tables = {
  ioServiceBytesRecursive: { rbytes: "Read", wbytes: "Write" },
  ioServicedRecursive: { rios: "Read", wios: "Write" },
} as const;

function blkio(stat: string): unknown {
  const out: Record<string, unknown[]> = {};
  for (const [, major, minor, rest] of stat.matchAll(/^(\d+):(\d+) (.*)$/gm)) {
    const values = new Map(rest!.split(" ").map((item) => item.split("=") as [string, string]));
    for (const [table, operations] of Object.entries(tables)) {
      for (const [key, op] of Object.entries(operations)) {
        if (!values.has(key)) continue;
        const device = withoutZeros({ major: number(major), minor: number(minor) });
        out[table] ??= [];
        out[table].push({ ...device, op, ...withoutZeros({ value: number(values.get(key)) }) });
      }
    }
  }
  return out;
}

function hugetlb(files: Files): unknown {
  const sizes = pageSizes.filter((size) => files.has(`hugetlb.${size}.current`));
  const of = (size: string) => ({
    ...withoutZeros({ usage: value(files, `hugetlb.${size}.current`) }),
    failcnt: number(keys(files.get(`hugetlb.${size}.events`)).get("max")),
  });
  return Object.fromEntries(sizes.map((size) => [size, of(size)]));
}

/** A file with one number; "max" is the largest there is. */
function value(files: Files, name: string): bigint {
  const text = files.get(name)?.trim();
  return text === "max" ? unlimited : number(text);
}

const limitOrNone = (limit: bigint): bigint => (limit === unlimited ? 0n : limit);
