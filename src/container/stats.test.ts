import { expect, test } from "bun:test";
import { stringifyExactly } from "../base/exact-json";
import { networkFile } from "../guest/cgroup-files";
import { statsOf } from "./stats";

const files = new Map([
  ["cpu.stat", "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 4\nnr_throttled 0\nthrottled_usec 7\n"],
  ["memory.current", "4096\n"],
  ["memory.max", "max\n"],
  ["memory.peak", "8192\n"],
  ["memory.stat", "file 12\nanon 34\n"],
  ["memory.events", "low 0\nhigh 0\nmax 3\noom 0\noom_kill 0\n"],
  ["memory.swap.current", "0\n"],
  ["memory.swap.max", "max\n"],
  ["pids.current", "2\n"],
  ["pids.max", "max\n"],
  ["cpuset.cpus", "0-1,3\n"],
  ["cpuset.mems", "\n"],
  ["io.stat", "8:0 rbytes=10 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"],
  ["hugetlb.2MB.current", "2097152\n"],
  ["hugetlb.2MB.events", "max 5\n"],
  [
    networkFile,
    "Inter-|   Receive  |  Transmit\n face |bytes packets\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 10 2 3 4 0 0 0 0 50 6 7 8 0 0 0 0\n",
  ],
]);

test("the files of cgroup v2, as runc prints them", () => {
  expect(stringifyExactly(statsOf(files))).toBe(
    [
      '{"cpu":{"usage":{"total":1500000,"kernel":500000,"user":1000000},"throttling":{"periods":4,"throttledTime":7000}}',
      '"cpuset":{"cpus":[0,1,3],"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0}',
      '"memory":{"cache":12,"usage":{"limit":18446744073709551615,"usage":4096,"max":8192,"failcnt":3},"swap":{"limit":18446744073709551615,"usage":4096,"failcnt":0},"kernel":{"limit":0,"failcnt":0},"kernelTCP":{"limit":0,"failcnt":0},"raw":{"anon":34,"file":12}}',
      '"pids":{"current":2}',
      '"blkio":{"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":10},{"major":8,"op":"Write"}],"ioServicedRecursive":[{"major":8,"op":"Read","value":1},{"major":8,"op":"Write"}]}',
      '"hugetlb":{"2MB":{"usage":2097152,"failcnt":5}}',
      '"intel_rdt":{}',
      '"network_interfaces":[{"Name":"eth0","RxBytes":10,"RxPackets":2,"RxErrors":3,"RxDropped":4,"TxBytes":50,"TxPackets":6,"TxErrors":7,"TxDropped":8}]}',
    ].join(","),
  );
});

test("a guest that has nothing to say, or nonsense", () => {
  const nonsense = new Map(
    [...files.keys()].map((name) => [name, "\0 -1 99999999999999999999999999\nx 0-99999999999\n"]),
  );
  for (const said of [new Map<string, string>(), nonsense]) {
    const { memory, pids, network_interfaces } = statsOf(said) as Record<string, unknown>;
    expect(memory).toMatchObject({ usage: { limit: 0n, failcnt: 0n } });
    expect(pids).toEqual({});
    expect(network_interfaces).toBeNull();
  }
});
