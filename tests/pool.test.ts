/** Machines that are ready before anybody wants them: whose they become, how they are replaced, and what a crash of their keeper does. */
import { expect } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { identityOf } from "../src/linux/identity";
import { descendantsOf } from "../src/linux/processes";
import { inNamespace, makeLab } from "./support/lab";
import { type Rig, runvTest } from "./support/rig";
import { until } from "./support/until";

const poolOf = ({ directory }: Rig) => join(directory, "pool");
const patience = 60_000;

function runv(rig: Rig, ...args: string[]) {
  return rig.runv(["--pool", poolOf(rig), ...args]);
}

async function status(rig: Rig) {
  return JSON.parse((await runv(rig, "pool", "status", "--format", "json")).stdout)[0];
}

/** A test with a pool of one machine, of which nothing is left. */
function poolTest(name: string, body: (rig: Rig) => Promise<void>): void {
  runvTest(name, async (rig) => {
    expect(await runv(rig, "pool", "start", "--size", "1")).toEqual({ code: 0, stdout: "", stderr: "" });
    try {
      await body(rig);
    } finally {
      for (const id of (await runv(rig, "list", "-q")).stdout.split("\n").filter(Boolean)) {
        await runv(rig, "delete", "--force", id);
      }
      expect(await runv(rig, "pool", "stop")).toEqual({ code: 0, stdout: "", stderr: "" });
      expect(existsSync(poolOf(rig))).toBe(false);
    }
  });
}

function partsOf({ root }: Rig, id: string): Record<"shim" | "monitor" | "machine", number> {
  const { shim, monitor, machine } = JSON.parse(readFileSync(join(root, id, "state.json"), "utf8"));
  return { shim: shim.pid, monitor: monitor.pid, machine: machine.pid };
}

const random = "/proc/sys/kernel/random";
const secrets = [`cat ${random}/uuid`, `cat ${random}/boot_id`, "head -c 16 /dev/urandom | md5sum"];

poolTest("what is taken is replaced; no two are twins, and they know the time", async (rig) => {
  const bundle = await rig.bundle({ args: ["sh", "-c", [...secrets, "date +%s", "hostname"].join("; ")] });
  const seen: string[] = [];
  for (let taken = 1; taken <= 2; taken++) {
    await until("a machine is ready", async () => (await status(rig)).ready === 1, patience);
    const before = Math.floor(Date.now() / 1000);
    const { code, stdout, stderr } = await runv(rig, "run", "-b", bundle, rig.id(`run${taken}`));
    expect([code, stderr]).toEqual([0, ""]);
    const lines = stdout.trim().split("\n");
    seen.push(...lines.slice(0, 3));
    expect(Number(lines[3])).toBeGreaterThanOrEqual(before);
    expect(Number(lines[3])).toBeLessThanOrEqual(Date.now() / 1000 + 1);
    expect(lines[4]).toBe("runv");
    await until("it is known to be taken", async () => (await status(rig)).taken === taken, patience);
  }
  expect(new Set(seen).size).toBe(6);
});

poolTest("a machine becomes the container's in every respect, and outlives a keeper that is killed", async (rig) => {
  const { keeper } = await status(rig);
  const id = rig.id("mine");
  const bundle = await rig.bundle({ args: ["sleep", "1000"] });
  expect((await runv(rig, "run", "-d", "-b", bundle, id)).code).toBe(0);
  const parts = partsOf(rig, id);
  for (const pid of [parts.monitor, parts.machine]) {
    expect(readFileSync(`/proc/${pid}/cgroup`, "utf8")).toBe(readFileSync(`/proc/${parts.shim}/cgroup`, "utf8"));
  }
  const namespaceOf = (pid: number) => statSync(`/proc/${pid}/ns/net`).ino;
  expect(namespaceOf(parts.shim)).toBe(namespaceOf(parts.monitor));
  expect(namespaceOf(parts.shim)).not.toBe(namespaceOf(process.pid));
  expect(readdirSync(join(rig.root, ".sandboxes"))).toHaveLength(1);

  process.kill(keeper.pid, "SIGKILL");
  await until("the keeper is gone", async () => (await status(rig)) === undefined);
  expect(await runv(rig, "exec", id, "echo", "alive")).toEqual({ code: 0, stdout: "alive\n", stderr: "" });
  // Those that nobody has taken end with it, and a new keeper begins anew.
  expect((await runv(rig, "pool", "start", "--size", "1")).code).toBe(0);
  expect(await status(rig)).toMatchObject({ size: 1, ready: 1, taken: 0 });
  expect((await runv(rig, "exec", id, "true")).code).toBe(0);
  expect((await runv(rig, "pool", "start")).stderr).toContain("POOL_RUNNING");
});

runvTest("a machine follows into a network namespace that has a name", async (rig) => {
  const lab = await makeLab(rig.name);
  try {
    const station = await lab.station();
    await lab.plug(station, "eth0", 7);
    expect((await runv(rig, "pool", "start", "--size", "1")).code).toBe(0);
    const args = ["sh", "-c", "ip -4 -o addr show eth0; ping -c 1 -w 10 10.9.0.1"];
    const bundle = await rig.bundle({ args, change: (config) => inNamespace(config, station.path) });
    const { code, stdout } = await runv(rig, "run", "-b", bundle, rig.id("named"));
    expect([code, stdout]).toEqual([0, expect.stringContaining("10.9.0.7/24")]);
    expect(stdout).toContain("1 packets received");
    await until("it is known to be taken", async () => (await status(rig)).taken === 1);
    expect((await station.ip("-br", "link")).includes("runv")).toBe(false);
  } finally {
    await runv(rig, "pool", "stop");
    await lab.remove();
  }
});

runvTest("a keeper whose directory is removed ends, with its machines", async (rig) => {
  expect((await runv(rig, "pool", "start", "--size", "1")).code).toBe(0);
  const { keeper } = await status(rig);
  const parts = [keeper.pid, ...descendantsOf(keeper.pid)];
  // The monitor, and a hypervisor unless it was forked from another one: then the rig sees whether it is left.
  expect(parts.length).toBeGreaterThan(1);
  rmSync(poolOf(rig), { recursive: true });
  await until("they are gone", () => !parts.some((pid) => identityOf(pid)), patience);
  expect(existsSync(poolOf(rig))).toBe(false);
});
