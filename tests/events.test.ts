/** What a container uses, and that it ran out of memory, as its callers are told. */
import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runvTest } from "./support/rig";
import { sharedRig } from "./support/shared";
import { until } from "./support/until";

/** Of one container of the file; the others have their own. */
const shared = sharedRig(async (rig) => {
  const bundle = await rig.bundle({
    args: ["sh", "-c", "while :; do sleep 0.1; done"],
    change: ({ linux }) => {
      linux.resources = { memory: { limit: 64 << 20 }, pids: { limit: 50 }, cpu: { cpus: "0" } };
    },
  });
  expect((await rig.runv(["run", "-d", "-b", bundle, rig.id("main")])).code).toBe(0);
});

shared("events --stats prints runc's numbers on one line", async ({ runv, id }) => {
  const { code, stdout, stderr } = await runv(["events", "--stats", id("main")]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.startsWith(`{"type":"stats","id":"${id("main")}","data":{"cpu":{"usage":{"total":`)).toBe(true);
  expect(stdout.indexOf("\n")).toBe(stdout.length - 1);
  const { data } = JSON.parse(stdout);
  expect(Object.keys(data)).toEqual([
    "cpu",
    "cpuset",
    "memory",
    "pids",
    "blkio",
    "hugetlb",
    "intel_rdt",
    "network_interfaces",
  ]);
  expect(data.cpu.usage.total).toBeGreaterThan(1_000_000);
  expect(data.cpu.usage.kernel + data.cpu.usage.user).toBeWithin(
    data.cpu.usage.total - 10_000,
    data.cpu.usage.total + 10_000,
  );
  expect(data.memory.usage).toMatchObject({ limit: 64 << 20, usage: expect.any(Number), failcnt: 0 });
  expect(data.memory.raw).toMatchObject({ anon: expect.any(Number), file: expect.any(Number) });
  expect(data.pids).toEqual({ current: expect.any(Number), limit: 50 });
  expect(data.cpuset.cpus).toEqual([0]);
  expect(data.intel_rdt).toEqual({});
});

shared("events repeats them at an interval, and ends when its reader does", async ({ spawn, id }) => {
  const child = spawn(["events", "--interval", "100ms", id("main")]);
  const reader = child.stdout.getReader();
  let text = "";
  for (let done: boolean | undefined = false; !done && text.split("\n").length < 4; ) {
    const chunk = await reader.read();
    done = chunk.done;
    text += new TextDecoder().decode(chunk.value);
  }
  expect(
    text
      .split("\n")
      .slice(0, 3)
      .map((line) => JSON.parse(line).type),
  ).toEqual(["stats", "stats", "stats"]);
  child.kill();
  await child.exited;
});

shared("events refuses an interval that is none", async ({ runv, id }) => {
  const refused = async (interval: string) => (await runv(["events", "--interval", interval, id("main")])).stderr;
  expect(await refused("0s")).toContain("duration interval must be greater than 0");
  expect(await refused("often")).toContain('invalid value \\"often\\" for flag -interval: parse error');
});

/** How many processes of a cgroup the end of memory has cost, of version 1 or 2. */
function oomKillsOf(cgroup: string): number {
  const file = ["memory.oom_control", "memory.events"].map((name) => join(cgroup, name)).find(existsSync);
  return Number(/^oom_kill (\d+)$/m.exec(file ? readFileSync(file, "utf8") : "")?.[1] ?? 0);
}

runvTest("events tells of the end of memory at once, and ends with the container", async (rig) => {
  const { runv, spawn, id, bundle, root } = rig;
  const path = await bundle({
    args: ["sh", "-c", "while :; do sleep 0.1; done"],
    change: ({ linux }) => {
      linux.resources = { memory: { limit: 32 << 20, swap: 32 << 20 } };
    },
  });
  await runv(["run", "-d", "-b", path, id("oom")]);
  const events = spawn(["events", "--interval", "1h", id("oom")]);
  let told = "";
  const reading = (async () => {
    for await (const bytes of events.stdout) told += new TextDecoder().decode(bytes);
  })();
  await Bun.sleep(500);
  const { code } = await runv(["exec", id("oom"), "dd", "if=/dev/zero", "of=/dev/null", "bs=60M", "count=1"]);
  expect(code).toBe(137);
  await until("the event is told", () => told !== "");
  expect(told).toBe(`{"type":"oom","id":"${id("oom")}"}\n`);
  // Docker and the like watch the cgroup on the host: its kernel says so too, and has hurt nobody.
  const { cgroup } = JSON.parse(readFileSync(`${root}/${id("oom")}/state.json`, "utf8"));
  const processes = () => cgroup.map((path: string) => readFileSync(`${path}/cgroup.procs`, "utf8").split("\n").length);
  await until("the host's kernel tells it", () => cgroup.some((path: string) => oomKillsOf(path) === 1));
  await until("all is as it was", () => new Set(processes()).size === 1);
  expect(await runv(["exec", id("oom"), "echo", "lives"])).toMatchObject({ stdout: "lives\n" });
  await runv(["kill", id("oom"), "KILL"]);
  expect(await events.exited).toBe(0);
  await reading;
  const { code: late, stderr } = await runv(["events", "--stats", id("oom")]);
  expect(late).toBe(1);
  expect(stderr).toContain(`container with id ${id("oom")} is not running`);
  await runv(["delete", id("oom")]);
});
