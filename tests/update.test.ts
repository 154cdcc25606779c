/** Limits that change while a container runs: in its cgroup, in that of the host, and in the size of its machine. */
import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Rig } from "./support/rig";
import { sharedRig } from "./support/shared";

const limits = {
  memory: { limit: 64 << 20 },
  cpu: { shares: 100, quota: 50_000, period: 100_000 },
  pids: { limit: 50 },
};

const runvTest = sharedRig(async (rig) => {
  const bundle = await rig.bundle({
    args: ["sh", "-c", "while :; do sleep 0.1; done"],
    change: ({ linux }) => {
      linux.resources = limits;
      linux.cgroupsPath = `/${rig.name}-main`;
      linux.namespaces.push({ type: "cgroup" });
    },
  });
  const { code, stderr } = await rig.runv(["run", "-d", "-b", bundle, rig.id("main")]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

/** Files of the container's cgroup, as it sees them itself. */
async function inside({ runv, id }: Rig, ...files: string[]): Promise<string[]> {
  const { stdout } = await runv(["exec", id("main"), "sh", "-c", `cd /sys/fs/cgroup; cat ${files.join(" ")}`]);
  return stdout.trimEnd().split("\n");
}

/** A file of the container's cgroup on the host; undefined where the host has another layout. */
function outside({ name }: Rig, controller: string, file: string): string | undefined {
  const path = join("/sys/fs/cgroup", controller, `${name}-main`, file);
  return existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
}

const done = { code: 0, stdout: "", stderr: "" };

runvTest("flags change the limits inside and on the host", async (rig) => {
  const { runv, id } = rig;
  const flags = ["--cpu-share", "200", "--cpu-quota", "60000", "--memory", "50M", "--pids-limit", "20"];
  expect(await runv(["update", ...flags, id("main")])).toEqual(done);
  const files = ["memory.max", "cpu.max", "cpu.weight", "pids.max"];
  expect(await inside(rig, ...files)).toEqual([String(50 << 20), "60000 100000", "8", "20"]);
  expect(outside(rig, "cpu", "cpu.shares") ?? "200").toBe("200");
  expect(outside(rig, "cpu", "cpu.cfs_quota_us") ?? "60000").toBe("60000");
});

runvTest("a document on standard input, in which 0 is no change", async (rig) => {
  const { runv, id } = rig;
  const input = JSON.stringify({
    memory: { limit: 64 << 20, reservation: 0, swap: 0, kernel: 0 },
    cpu: { shares: 0, quota: 0, period: 80_000, cpus: "" },
    pids: { limit: 0 },
    blockIO: { weight: 0 },
    unified: { "memory.min": "1048576" },
  });
  expect(await runv(["update", "-r", "-", id("main")], { input })).toEqual(done);
  const files = ["memory.max", "memory.min", "cpu.max", "pids.max"];
  expect(await inside(rig, ...files)).toEqual([String(64 << 20), "1048576", "60000 80000", "20"]);
});

runvTest("what one limit refuses leaves the others as they were", async (rig) => {
  const { runv, id } = rig;
  const before = await inside(rig, "memory.max", "cpu.max", "pids.max");
  const input = JSON.stringify({ pids: { limit: 30 }, memory: { limit: 128 << 20 }, unified: { "cpu.weight": "0" } });
  const { code, stderr } = await runv(["update", "-r", "-", id("main")], { input });
  expect(code).toBe(1);
  expect(stderr).toContain('set cpu.weight of the container\'s cgroup to \\"0\\": numerical result out of range');
  expect(await inside(rig, "memory.max", "cpu.max", "pids.max")).toEqual(before);
});

runvTest("a container that grows past its machine has it grow: processors and memory", async (rig) => {
  const { runv, id } = rig;
  const size = "grep -c ^processor /proc/cpuinfo; nproc; awk '/MemTotal/ { print ($2 > 700000) }' /proc/meminfo";
  const look = async () => (await runv(["exec", id("main"), "sh", "-c", size])).stdout.trim().split("\n");
  expect(await look()).toEqual(["1", "1", "0"]);
  expect(
    await runv(["update", "--memory", "700M", "--cpu-quota", "200000", "--cpu-period", "100000", id("main")]),
  ).toEqual(done);
  expect(await look()).toEqual(["2", "2", "1"]);
  // It can all be used.
  const fill = ["exec", id("main"), "dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"];
  expect((await runv(fill)).code).toBe(0);
  // Less, too. Nobody takes more then: beside who is killed for it, kernels kill others of the container, if they take memory at that moment.
  expect(await runv(["update", "--memory", "64M", id("main")])).toEqual(done);
  expect(await inside(rig, "memory.max")).toEqual([String(64 << 20)]);
});

runvTest("what cannot be is refused by name", async ({ runv, id }) => {
  const refused = async (...flags: string[]) => {
    const { code, stderr } = await runv(["update", ...flags, id("main")]);
    expect(code).toBe(1);
    return stderr;
  };
  expect(await refused("--memory", "900T")).toContain("it can have");
  expect(await refused("--memory", "much")).toContain("invalid value for memory");
  expect(await refused("--cpu-period", "-5")).toContain("invalid value for cpu-period");
  expect(await refused("--l3-cache-schema", "L3:0=f")).toContain("Intel RDT/CAT: l3 cache schema is not enabled");
  expect(await refused("--cpuset-cpus", "x")).toContain("cpu.cpus");
});

runvTest("a paused container stays paused", async ({ runv, id }) => {
  await runv(["pause", id("main")]);
  expect(await runv(["update", "--pids-limit", "30", id("main")])).toEqual(done);
  expect(JSON.parse((await runv(["state", id("main")])).stdout).status).toBe("paused");
  await runv(["resume", id("main")]);
});
