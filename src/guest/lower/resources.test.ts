import { expect, test } from "bun:test";
import { resources as reader } from "../../oci/resources";
import { cgroupFiles } from "./resources";

/** The files of these resources, as `file=value`. */
const files = (resources: object) => cgroupFiles(reader(resources)).map(({ file, value }) => `${file}=${value}`);

test("memory", () => {
  expect(files({ memory: { limit: 1000, swap: 1500, reservation: 500 } })).toEqual([
    "memory.swap.max=500",
    "memory.max=1000",
    "memory.low=500",
  ]);
  expect(files({ memory: { limit: 1000, swap: 1000 } })).toEqual(["memory.swap.max=0", "memory.max=1000"]);
  expect(files({ memory: { limit: 1000, swap: -1 } })).toEqual(["memory.swap.max=max", "memory.max=1000"]);
  expect(files({ memory: { limit: -1 } })).toEqual(["memory.swap.max=max", "memory.max=max"]);
  expect(files({ memory: { limit: 0, swappiness: 60, disableOOMKiller: true, kernel: 5 } })).toEqual([]);
  expect(() => files({ memory: { limit: 1000, swap: 500 } })).toThrow("linux.resources.memory.swap: memory+swap limit");
  expect(() => files({ memory: { swap: 500 } })).toThrow("unable to set swap limit without memory limit");
});

test("processors", () => {
  expect(files({ cpu: { shares: 2 } })).toEqual(["cpu.weight=1"]);
  expect(files({ cpu: { shares: 1024 } })).toEqual(["cpu.weight=39"]);
  expect(files({ cpu: { shares: 262144, idle: 0 } })).toEqual(["cpu.idle=0", "cpu.weight=10000"]);
  expect(files({ cpu: { shares: 5, idle: 1 } })).toEqual(["cpu.idle=1"]);
  expect(files({ cpu: { quota: 50000, period: 100000, burst: 10000 } })).toEqual([
    "cpu.max=50000 100000",
    "cpu.max.burst=10000",
  ]);
  expect(files({ cpu: { quota: -1 } })).toEqual(["cpu.max=max"]);
  expect(files({ cpu: { period: 5000 } })).toEqual(["cpu.max=max 5000"]);
  expect(files({ cpu: { cpus: "0-1", mems: "0" } })).toEqual(["cpuset.cpus=0-1", "cpuset.mems=0"]);
});

test("the others", () => {
  expect(files({ pids: { limit: 20 } })).toEqual(["pids.max=20"]);
  expect(files({ pids: { limit: -1 } })).toEqual(["pids.max=max"]);
  expect(files({ pids: { limit: 0 }, blockIO: { weight: 0 } })).toEqual([]);
  expect(files({ blockIO: { weight: 1000 } })).toEqual(["io.bfq.weight=1000", "io.weight=10000"]);
  expect(files({ hugepageLimits: [{ pageSize: "2MB", limit: 4096 }] })).toEqual(["hugetlb.2MB.max=4096"]);
  expect(files({ unified: { "memory.high": "1G" } })).toEqual(["memory.high=1G"]);
});
