import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostLimits, inOrder } from "./host-limits";

const hierarchy = { version: 1 as const, controllers: ["pids", "memory"], mountPoint: "/m", root: "/", own: "/" };
const limits = (resources: object, version: 1 | 2 = 1) =>
  Object.fromEntries(hostLimits({ ...hierarchy, version }, { devices: [], hugepageLimits: [], ...resources }, 224));

test("a limit of processes has a counterpart on the host: the machine's own, and a shim's for each", () => {
  expect(limits({ pids: { limit: 100 } })).toEqual({ "pids.max": "2112" });
  expect(limits({ pids: { limit: 100 } }, 2)).toEqual({ "pids.max": "2112" });
  expect(limits({ pids: { limit: -1 } })).toEqual({ "pids.max": "max" });
  expect(limits({ pids: { limit: 0 } })).toEqual({});
  expect(limits({ pids: { limit: 2 ** 40 } })).toEqual({ "pids.max": "4194304" });
  expect(limits({})).toEqual({});
});

test("a limit of memory is the machine's, and what is beside it", () => {
  expect(limits({ memory: { limit: 100 << 20 } })).toEqual({ "memory.limit_in_bytes": String(736 << 20) });
  expect(limits({ memory: { limit: 100 << 20 } }, 2)).toEqual({ "memory.max": String(736 << 20) });
});

test("a burst is the host's too, of 0 as well; what is idle is so in the guest, for its monitor has to answer", () => {
  expect(limits({ cpu: { burst: 7, idle: 1 } }, 2)).toEqual({ "cpu.max.burst": "7" });
  const cpu = { burst: 0, idle: 1 };
  const files = hostLimits({ ...hierarchy, controllers: ["cpu"] }, { devices: [], hugepageLimits: [], cpu }, 1);
  expect(files).toEqual([["cpu.cfs_burst_us", "0"]]);
});

test("a period that shrinks is written after what is counted in it, of realtime as well", () => {
  const directory = mkdtempSync(join(tmpdir(), "limits-"));
  writeFileSync(join(directory, "cpu.rt_period_us"), "900001\n");
  writeFileSync(join(directory, "cpu.cfs_period_us"), "100000\n");
  const names = (period: string) =>
    inOrder(directory, [
      ["cpu.cfs_period_us", period],
      ["cpu.cfs_quota_us", "1"],
      ["cpu.rt_period_us", period],
      ["cpu.rt_runtime_us", "3000"],
    ]).map(([name]) => name.slice(4, -3));
  expect(names("10000")).toEqual(["cfs_quota", "rt_runtime", "cfs_period", "rt_period"]);
  expect(names("200000")).toEqual(["cfs_period", "cfs_quota", "rt_runtime", "rt_period"]);
  expect(names("1000000")).toEqual(["cfs_period", "cfs_quota", "rt_period", "rt_runtime"]);
  rmSync(directory, { recursive: true });
});
