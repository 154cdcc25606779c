/** Stats: what a container uses, from the account that `runv events` gives too. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { now } from "../base/time";
import { statsOf } from "../container/stats";
import { toTimestamp } from "../protobuf/timestamp";
import type { Message } from "./api/messages";
import type { Answer } from "./api/service";
import { toSeconds } from "./api/timestamp";

type Entry = { readonly [key: string]: bigint };
type Usage = { readonly [key: string]: Entry } & { readonly raw?: Entry };

/** The parts of `statsOf` that the API has a place for. */
interface Account {
  cpu: { usage: Entry; throttling: Entry };
  memory: Usage & { cache?: bigint };
  pids: Entry;
  blkio: { [table: string]: readonly { major?: bigint; minor?: bigint; op: string; value?: bigint }[] };
  hugetlb: { [size: string]: Entry };
  network_interfaces: readonly ({ Name: string } & Entry)[] | null;
}

/** @param files of the container's cgroup in the guest */
export function describeStats(files: ReadonlyMap<string, string>): Answer<"Stats"> {
  const account = statsOf(files) as unknown as Account;
  const at = now();
  return {
    network_stats: (account.network_interfaces ?? []).map(network),
    cgroup_stats: {
      cpu_stats: cpu(account.cpu),
      memory_stats: memory(account.memory),
      blkio_stats: {
        io_service_bytes_recursive: account.blkio.ioServiceBytesRecursive ?? [],
        io_serviced_recursive: account.blkio.ioServicedRecursive ?? [],
      },
      hugetlb_stats: Object.fromEntries(Object.entries(account.hugetlb).map(([size, entry]) => [size, data(entry)])),
      pids_stats: account.pids,
    },
    // Nothing in the request tells the wire; each finds its own, and passes over the other.
    timestamp: toTimestamp(at),
    seconds: toSeconds(at),
  };
}

/**
 * A guest's processors are not the host's, so nobody knows which of those did the work. But clients multiply by their number: it
 * is shared out evenly.
 */
function cpu({ usage, throttling }: Account["cpu"]): Message<"CpuStats"> {
  const { total = 0n, kernel = 0n, user = 0n } = usage;
  const { periods = 0n, throttledPeriods = 0n, throttledTime = 0n } = throttling;
  const count = availableParallelism();
  const each = total / BigInt(count);
  return {
    cpu_usage: {
      total_usage: total,
      percpu_usage: Array.from({ length: count }, (_, index) =>
        index === 0 ? total - each * BigInt(count - 1) : each,
      ),
      usage_in_kernelmode: kernel,
      usage_in_usermode: user,
    },
    throttling_data: { periods, throttled_periods: throttledPeriods, throttled_time: throttledTime },
    system_usage: systemUsage(),
  };
}

function memory({
  cache = 0n,
  usage = {},
  swap = {},
  kernel = {},
  raw = {},
}: Account["memory"]): Message<"MemoryStats"> {
  return { cache, usage: data(usage), swap_usage: data(swap), kernel_usage: data(kernel), stats: raw };
}

function data({ usage = 0n, max = 0n, failcnt = 0n, limit = 0n }: Entry): Message<"MemoryData"> {
  return { usage, max_usage: max, failcnt, limit };
}

function network(entry: { Name: string } & Entry): Message<"NetworkStats"> {
  const of = (key: string) => entry[key] ?? 0n;
  return {
    name: entry.Name,
    rx_bytes: of("RxBytes"),
    rx_Packets: of("RxPackets"),
    Rx_errors: of("RxErrors"),
    Rx_dropped: of("RxDropped"),
    Tx_bytes: of("TxBytes"),
    Tx_packets: of("TxPackets"),
    Tx_errors: of("TxErrors"),
    Tx_dropped: of("TxDropped"),
  };
}

/** Nanoseconds in a clock tick: USER_HZ is 100 wherever runv runs. */
const tick = 10_000_000n;

/** What all of the host's processors have spent since boot, in nanoseconds: the first seven numbers of proc_stat(5). */
function systemUsage(): bigint {
  const line = /^cpu +(.*)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1] ?? "";
  const ticks = line.split(" ").slice(0, 7);
  return ticks.reduce((sum, text) => sum + BigInt(text), 0n) * tick;
}
