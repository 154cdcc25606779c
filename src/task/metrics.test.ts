import { expect, test } from "bun:test";
import { metricsCodec, metricsOf } from "./metrics";

test("what a container uses, of the files of its cgroup", () => {
  const files = new Map([
    ["cpu.stat", "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_bursts 5\n"],
    ["memory.stat", "anon 4096\nfile 8192\nworkingset_refault_anon 1\nworkingset_refault_file 2\n"],
    ["memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n"],
    ["memory.current", "12288\n"],
    ["memory.max", "max\n"],
    ["memory.peak", "20000\n"],
    ["pids.current", "2\n"],
    ["pids.max", "max\n"],
    ["io.stat", "254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5\n"],
    ["hugetlb.2MB.current", "0\n"],
  ]);
  const { type_url, value } = metricsOf(files);
  expect(type_url).toBe("io.containerd.cgroups.v2.Metrics");
  const metrics = metricsCodec.decode(value!) as Record<string, unknown>;
  expect(metrics).toMatchObject({
    pids: { current: 2n, limit: 0n },
    cpu: { usage_usec: 30n, user_usec: 10n, system_usec: 20n },
    memory: { anon: 4096n, file: 8192n, workingset_refault: 3n, usage: 12288n, usage_limit: 2n ** 64n - 1n },
    memory_events: { max: 3n, oom: 1n, oom_kill: 1n },
    io: { usage: [{ major: 254n, minor: 0n, rbytes: 1n, wbytes: 2n, rios: 3n, wios: 4n }] },
    hugetlb: [{ pagesize: "2MB", current: 0n }],
  });
  // The numbers of the fields, where most go: limit of memory is 33, its peak 36.
  expect(Buffer.from(value!).toString("hex")).toContain("8802ffffffffffffffffff01");
  expect(Buffer.from(value!).toString("hex")).toContain("a002a09c01");
});

test("nothing that a guest says is more than a number of 64 bits", () => {
  const most = "9".repeat(20);
  const { value } = metricsOf(
    new Map([
      ["memory.current", most],
      ["pids.current", "x"],
      ["io.stat", "junk\n1:2 a=b\n"],
    ]),
  );
  const metrics = metricsCodec.decode(value!) as Record<string, { usage?: unknown; current?: unknown }>;
  expect(metrics.memory?.usage).toBe(2n ** 64n - 1n);
  expect(metrics.pids?.current).toBe(0n);
});
