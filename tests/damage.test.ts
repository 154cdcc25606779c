/** What is wrong on disk or stands still, and that commands tell of it within seconds: nobody waits in vain, and nothing is left. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "../src/linux/identity";
import { type Rig, runvTest } from "./support/rig";

const stateFile = ({ root }: Rig, id: string) => join(root, id, "state.json");
const recordOf = (rig: Rig, id: string) => JSON.parse(readFileSync(`${stateFile(rig, id)}.copy`, "utf8"));

async function started(rig: Rig, id: string): Promise<void> {
  const bundle = await rig.bundle({ args: ["sleep", "1000"] });
  expect(await rig.runv(["run", "-d", "-b", bundle, id])).toMatchObject({ code: 0 });
}

/** A container's bundle that joins another one's machine. */
const joining = (rig: Rig, { shim }: { shim: { pid: number } }) =>
  rig.bundle({
    args: ["sleep", "1000"],
    change: ({ linux }) => {
      linux.namespaces = linux.namespaces.filter(({ type }) => type !== "ipc");
      linux.namespaces.push({ type: "ipc", path: `/proc/${shim.pid}/ns/ipc` });
    },
  });

const damages: Record<string, (path: string, whole: string) => void> = {
  "is empty": (path) => truncateSync(path, 0),
  "is cut": (path, whole) => writeFileSync(path, whole.slice(0, whole.length / 2)),
  "is null": (path) => writeFileSync(path, "null"),
  "is a list": (path) => writeFileSync(path, "[]"),
  "is half a record": (path, whole) =>
    writeFileSync(path, JSON.stringify({ ...JSON.parse(whole), shim: 7, hooks: null })),
  "is a FIFO": (path) => {
    rmSync(path);
    Bun.spawnSync(["mkfifo", path]);
  },
  "is a directory": (path) => {
    rmSync(path);
    mkdirSync(path);
  },
  "is another container's": (path, whole) => writeFileSync(path, JSON.stringify({ ...JSON.parse(whole), id: "other" })),
};

runvTest("state.json that is damaged: the copy tells what runs, and all of it ends", async (rig) => {
  const id = rig.id("damaged");
  await started(rig, id);
  const path = stateFile(rig, id);
  const whole = readFileSync(path, "utf8");
  for (const [how, damage] of Object.entries(damages)) {
    rmSync(path, { recursive: true });
    writeFileSync(path, whole);
    damage(path, whole);
    const state = await rig.runv(["state", id]);
    expect([how, state.code, JSON.parse(state.stdout).status]).toEqual([how, 0, "running"]);
    expect([how, (await rig.runv(["list", "-q"])).stdout]).toEqual([how, `${id}\n`]);
  }
  // Whoever changes it writes it anew.
  expect(await rig.runv(["pause", id])).toMatchObject({ code: 0 });
  expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ id, paused: true });
  truncateSync(path, 0);
  const { monitor, machine, shim } = recordOf(rig, id);
  expect(await rig.runv(["delete", "--force", id])).toMatchObject({ code: 0 });
  expect([monitor, machine, shim].filter(isAlive)).toEqual([]);
});

runvTest(
  "a container of which nothing can be read: the others are listed, and it is not said to be deleted",
  async (rig) => {
    const [id, lost] = [rig.id("good"), rig.id("lost")];
    const bundle = await rig.bundle({ args: ["true"] });
    expect(await rig.runv(["create", "-b", bundle, id])).toMatchObject({ code: 0 });
    mkdirSync(join(rig.root, lost));
    for (const name of ["state.json", "state.json.copy"]) writeFileSync(join(rig.root, lost, name), "{");
    const list = await rig.runv(["list", "-q"]);
    expect(list).toMatchObject({ code: 0, stdout: `${id}\n` });
    expect(list.stderr).toContain(`load container ${lost}: `);
    for (const command of [["state"], ["kill"], ["delete"], ["delete", "--force"]]) {
      const { code, stderr } = await rig.runv([...command, lost]);
      expect([command, code, stderr]).toEqual([command, 1, expect.stringContaining("state.json is damaged")]);
    }
    rmSync(join(rig.root, lost), { recursive: true });
    expect(await rig.runv(["delete", "--force", id])).toMatchObject({ code: 0 });
  },
);

for (const part of ["monitor", "machine"] as const) {
  runvTest(`a ${part} that is stopped: it is told, and kill and delete do without it`, async (rig) => {
    const id = rig.id(part);
    await started(rig, id);
    const record = recordOf(rig, id);
    const bundle = await joining(rig, record);
    process.kill(record[part].pid, "SIGSTOP");
    const name = part === "monitor" ? "monitor" : "hypervisor";
    const resources = ["update", "--pids-limit", "50"];
    for (const [command, ...rest] of [
      ["exec", id, "true"],
      ["create", "-b", bundle, rig.id("late")],
      ["run", "-b", bundle, rig.id("later")],
      ["kill", id, "TERM"],
      ["pause", id],
      ["ps", id],
      ["events", "--stats", id],
      [...resources, id],
    ]) {
      const { code, stderr } = await rig.runv([command!, ...rest]);
      const said = expect.stringContaining(`its ${name} (pid ${record[part].pid}) is stopped`);
      expect([command, code === 0, stderr]).toEqual([command, false, said]);
    }
    // What did not come through is not believed.
    expect(JSON.parse((await rig.runv(["state", id])).stdout).status).toBe("running");
    expect((await rig.runv(["list", "-q"])).stdout).toBe(`${id}\n`);
    process.kill(record[part].pid, "SIGCONT");
    expect(await rig.runv(["exec", id, "echo", "again"])).toMatchObject({ code: 0, stdout: "again\n" });
    // Of those that came in vain nothing is left, and others may join.
    const another = rig.id("another");
    expect(await rig.runv(["run", "-d", "-b", bundle, another])).toMatchObject({ code: 0, stderr: "" });
    expect(await rig.runv(["exec", another, "echo", "joined"])).toMatchObject({ code: 0, stdout: "joined\n" });
    expect(await rig.runv(["delete", "--force", another])).toMatchObject({ code: 0 });
    process.kill(record[part].pid, "SIGSTOP");
    expect((await rig.runv(["kill", id, "KILL"])).code).toBe(0);
    expect(JSON.parse((await rig.runv(["state", id])).stdout).status).toBe("stopped");
    expect((await rig.runv(["delete", id])).code).toBe(0);
    expect([record.monitor, record.machine, record.shim].filter(isAlive)).toEqual([]);
  });
}

runvTest("a --root of 210 characters", async (rig) => {
  const root = join(rig.directory, "r".repeat(200 - rig.directory.length), "root12345");
  const bundle = await rig.bundle({ args: ["sleep", "1000"] });
  const runv = (...args: string[]) => rig.runv(["--root", root, ...args]);
  const id = rig.id("long");
  expect(await runv("run", "-d", "-b", bundle, id)).toMatchObject({ code: 0, stderr: "" });
  try {
    expect(await runv("exec", id, "echo", "in")).toMatchObject({ code: 0, stdout: "in\n" });
    const script = "(sleep 1; echo late) & echo early";
    expect(await runv("exec", id, "sh", "-c", script)).toMatchObject({ code: 0, stdout: "early\nlate\n" });
    expect(await runv("pause", id)).toMatchObject({ code: 0 });
    expect(await runv("resume", id)).toMatchObject({ code: 0 });
  } finally {
    expect(await runv("delete", "--force", id)).toMatchObject({ code: 0 });
  }
  expect(existsSync(join(root, id))).toBe(false);
});
