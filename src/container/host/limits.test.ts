import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resources } from "../../oci/resources";
import { setDevices, setLimits } from "./limits";

const directory = mkdtempSync(join(tmpdir(), "runv-limits-"));
afterAll(() => rmSync(directory, { recursive: true }));

let undo: () => void;

/** What is written to a cgroup with these files. */
function written(version: 1 | 2, controllers: string[], files: string[], wanted: unknown): Record<string, string> {
  for (const file of files) writeFileSync(join(directory, file), "");
  const cgroups = [{ hierarchy: { version, controllers, mountPoint: "/", root: "/", own: "/" }, directory }];
  setDevices(cgroups, resources(wanted));
  undo = setLimits(cgroups, resources(wanted));
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(directory, file), "utf8")]));
}

test("version 1: what is said is written, and nothing else", () => {
  const files = [
    "memory.limit_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.soft_limit_in_bytes",
    "memory.swappiness",
  ];
  const wanted = { memory: { limit: 4096, swap: 8192, swappiness: 100 } };
  expect(written(1, ["memory"], files, wanted)).toEqual({
    "memory.limit_in_bytes": "4096",
    "memory.memsw.limit_in_bytes": "8192",
    "memory.soft_limit_in_bytes": "",
    "memory.swappiness": "100",
  });
});

test("version 1: a list of devices begins with all of them", () => {
  const files = ["devices.allow", "devices.deny"];
  // A file here keeps the last line only; a cgroup's takes each.
  expect(written(1, ["devices"], files, { devices: [{ allow: false }] })["devices.deny"]).toBe("a");
  expect(written(1, ["devices"], files, { devices: [{ allow: true }, { allow: false, type: "b", major: 8 }] })).toEqual(
    {
      "devices.allow": "a",
      "devices.deny": "b 8:* rwm",
    },
  );
});

test("version 1: shares of realtime, marks of packets, RDMA", () => {
  const files = ["cpu.rt_period_us", "cpu.rt_runtime_us", "net_cls.classid", "net_prio.ifpriomap", "rdma.max"];
  const wanted = {
    cpu: { realtimePeriod: 1_000_000, realtimeRuntime: 950_000 },
    network: { classID: 1_048_577, priorities: [{ name: "eth0", priority: 5 }] },
    rdma: { mlx5_1: { hcaHandles: 3 } },
  };
  expect(written(1, ["cpu", "net_cls", "net_prio", "rdma"], files, wanted)).toEqual({
    "cpu.rt_period_us": "1000000",
    "cpu.rt_runtime_us": "950000",
    "net_cls.classid": "1048577",
    "net_prio.ifpriomap": "eth0 5",
    "rdma.max": "mlx5_1 hca_handle=3 hca_object=max",
  });
  expect(() => written(2, [], [], { network: { classID: 1 } })).toThrow("linux.resources.network.classID");
  expect(() => written(2, [], [], { cpu: { realtimePeriod: 1 } })).toThrow("linux.resources.cpu.realtimePeriod");
});

test("version 2: the same limits in its words", () => {
  const files = ["memory.max", "memory.swap.max", "pids.max", "cpu.max"];
  const wanted = { memory: { limit: 4096, swap: 8192 }, pids: { limit: -1 }, cpu: { quota: 5, period: 10 } };
  expect(written(2, [], files, wanted)).toEqual({
    "memory.max": "4096",
    "memory.swap.max": "4096",
    "pids.max": "max",
    "cpu.max": "5 10",
  });
  undo();
  expect(files.map((file) => readFileSync(join(directory, file), "utf8"))).toEqual(["", "", "", ""]);
});

test("a limit that no cgroup holds is an error", () => {
  expect(() => written(1, ["cpu"], [], { memory: { limit: 4096 } })).toThrow("no cgroup hierarchy with memory");
  expect(() => written(1, ["memory"], [], { unified: { "memory.high": "5" } })).toThrow("linux.resources.unified");
  rmSync(join(directory, "pids.max"));
  expect(() => written(1, ["pids"], [], { pids: { limit: 5 } })).toThrow(
    'set pids.max of the container\'s cgroup to "5": ENOENT',
  );
});
