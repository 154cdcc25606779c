/** What a container without a virtual machine uses, and the change of its limits, beside runc. */
import { expect } from "bun:test";
import type { Config } from "../support/bundle";
import { hostTest, type Rig } from "../support/rig";
import { forgetRunc, runc as runcOf } from "../support/runc";
import type { Result } from "../support/runv";
import { until } from "../support/until";

const done = { code: 0, stdout: "", stderr: "" };

type Runtime = (args: readonly string[]) => Promise<Result>;

/** A container that sleeps of each: runv's and runc's. */
async function both(rig: Rig, change: (config: Config) => void = () => {}) {
  const path = await rig.bundle({ args: ["sleep", "1000"], change });
  const [ours, theirs] = [rig.id("ours"), rig.id("theirs")];
  expect(await rig.runv(["run", "-d", "-b", path, ours])).toEqual(done);
  const runc: Runtime = (args) => runcOf(rig, args);
  expect(await runc(["run", "-d", "-b", path, theirs])).toEqual(done);
  return { runc, ours, theirs };
}

async function removed(rig: Rig, runc: Runtime, ours: string, theirs: string): Promise<void> {
  expect(await rig.runv(["delete", "--force", ours])).toEqual(done);
  expect(await runc(["delete", "--force", theirs])).toEqual(done);
  forgetRunc(rig);
}

/** The names of all that is told. What is left out where it is 0 may be there in one of two; and what of block devices is, is chance. */
function namesIn(line: string): unknown {
  const event = JSON.parse(line);
  const { memory } = event.data;
  delete memory.cache;
  for (const part of ["kernel", "kernelTCP", "swap", "usage"])
    for (const name of ["usage", "max"]) delete memory[part][name];
  const nothing = (key: string, value: unknown) => (key === "id" ? "ID" : typeof value === "number" ? 0 : value);
  return JSON.parse(JSON.stringify({ ...event, data: { ...event.data, blkio: {} } }, nothing));
}

hostTest("events --stats has all that runc's has", async (rig) => {
  const { runc, ours, theirs } = await both(rig);
  const { stdout, ...rest } = await rig.runv(["events", "--stats", ours]);
  expect(rest).toEqual({ code: 0, stderr: "" });
  const their = await runc(["events", "--stats", theirs]);
  expect(namesIn(stdout)).toEqual(namesIn(their.stdout));
  const { cpu, pids, memory } = JSON.parse(stdout).data;
  expect(pids.current).toBe(1);
  expect(cpu.usage.total).toBeGreaterThan(0);
  expect(memory.usage.usage).toBeGreaterThan(0);
  await removed(rig, runc, ours, theirs);
});

/** The limits as the container sees them, in either version of cgroups. */
const look =
  "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us cpu/cpu.rt_period_us cpu/cpu.rt_runtime_us memory.max pids.max cpu.max 2>/dev/null; true";

hostTest("update changes what runc's changes, and all of it or nothing", async (rig) => {
  const { runc, ours, theirs } = await both(rig, ({ linux }) => {
    const limits = { pids: { limit: 20 }, cpu: { quota: 50_000, period: 100_000 } };
    linux.resources = { ...(linux.resources as object), ...limits };
  });
  const limitsOf = async (runtime: Runtime, id: string) => (await runtime(["exec", id, "sh", "-c", look])).stdout;
  const before = await limitsOf(rig.runv, ours);
  const change = ["update", "--memory", "64M", "--pids-limit", "30", "--cpu-quota", "70000"];
  expect(await rig.runv([...change, ours])).toEqual(done);
  expect(await runc([...change, theirs])).toEqual(done);
  const changed = await limitsOf(rig.runv, ours);
  expect(changed).toBe(await limitsOf(runc, theirs));
  expect(changed).not.toBe(before);
  for (const value of [String(64 << 20), "30", "70000"]) expect(changed.split(/\s/)).toContain(value);
  const input = JSON.stringify({ pids: { limit: 40 }, cpu: { quota: 60_000, cpus: "4000" } });
  const { code, stderr } = await rig.runv(["update", "-r", "-", ours], { input });
  expect([code, stderr]).toEqual([1, expect.stringContaining("CGROUP")]);
  expect(await limitsOf(rig.runv, ours)).toBe(changed);
  // Of realtime in version 1, where its kernel has it; each says the same.
  const realtime = ["update", "--cpu-rt-period", "500000", "--cpu-rt-runtime", "1000"];
  expect((await rig.runv([...realtime, ours])).code).toBe((await runc([...realtime, theirs])).code);
  expect(await limitsOf(rig.runv, ours)).toBe(await limitsOf(runc, theirs));
  await removed(rig, runc, ours, theirs);
});

hostTest("events tells of the end of memory, and ends with the container", async (rig) => {
  const { runv, spawn, id, bundle } = rig;
  const path = await bundle({
    args: ["sleep", "1000"],
    change: ({ linux }) => {
      linux.resources = { ...(linux.resources as object), memory: { limit: 16 << 20, swap: 16 << 20 } };
    },
  });
  expect(await runv(["run", "-d", "-b", path, id("oom")])).toEqual(done);
  const events = spawn(["events", "--interval", "10ms", id("oom")]);
  let told = "";
  const reading = (async () => {
    for await (const bytes of events.stdout) told += new TextDecoder().decode(bytes);
  })();
  await until("it has begun", () => told.includes('"type":"stats"'));
  const { code } = await runv(["exec", id("oom"), "dd", "if=/dev/zero", "of=/dev/null", "bs=60M", "count=1"]);
  expect(code).toBe(137);
  await until("the event is told", () => told.includes(`{"type":"oom","id":"${id("oom")}"}\n`));
  expect(await runv(["kill", id("oom"), "KILL"])).toEqual(done);
  expect(await events.exited).toBe(0);
  await reading;
  const late = await runv(["events", "--stats", id("oom")]);
  expect([late.code, late.stderr]).toEqual([
    1,
    expect.stringContaining(`container with id ${id("oom")} is not running`),
  ]);
  expect(await runv(["delete", id("oom")])).toEqual(done);
});
