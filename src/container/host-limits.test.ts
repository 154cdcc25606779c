import { expect, test } from "bun:test";
import { hostLimits } from "./host-limits";

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
