/** Where the state directory cannot be written, or is full, a command changes both, the container and what is known of it, or neither. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "../src/linux/identity";
import { command } from "./support/command";
import { type Rig, runvTest } from "./support/rig";
import { until } from "./support/until";

const directoryOf = ({ root }: Rig, id: string) => join(root, id);
const record = (rig: Rig, id: string, file = "state.json") =>
  JSON.parse(readFileSync(join(directoryOf(rig, id), file), "utf8"));
const status = async ({ runv }: Rig, id: string) => JSON.parse((await runv(["state", id])).stdout).status;

/** What a container's directory is like while something is done: read-only, or so that its record cannot be replaced. */
const obstacles: Record<string, (directory: string) => string[][]> = {
  "a read-only directory": (directory) => [
    ["mount", "--bind", directory, directory],
    ["mount", "-o", "remount,bind,ro", directory],
  ],
  "a record that something is mounted on": (directory) => [
    ["mount", "--bind", join(directory, "state.json"), join(directory, "state.json")],
  ],
};

async function obstructed(obstacle: string, directory: string, body: () => Promise<void>): Promise<void> {
  const commands = obstacles[obstacle]!(directory);
  try {
    for (const words of commands) await command(...words);
    await body();
  } finally {
    await command("umount", commands[0]!.at(-1)!);
  }
}

/** It counts, so that it can be seen whether it stands still. */
const counter = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /tmp/i; sleep 0.1; done"];
const limits = (process: string) => `cat /sys/fs/cgroup/pids.max; ${process}`;

for (const obstacle of Object.keys(obstacles)) {
  runvTest(`${obstacle}: pause, resume and update change nothing`, async (rig) => {
    const { runv } = rig;
    const id = rig.id("one");
    const bundle = await rig.bundle({
      args: counter,
      change: ({ root, linux }) => {
        root.readonly = false;
        linux.resources = { pids: { limit: 40 }, memory: { limit: 96 << 20 } };
      },
    });
    expect(await runv(["run", "-d", "-b", bundle, id])).toMatchObject({ code: 0 });
    const inside = async (script: string) => (await runv(["exec", "--ignore-paused", id, "sh", "-c", script])).stdout;
    const hosts = () => {
      const [pids = "", memory = ""] = record(rig, id).cgroup.flatMap((directory: string) =>
        ["pids.max", "memory.limit_in_bytes", "memory.max"].map((file) => join(directory, file)).filter(existsSync),
      );
      return [pids, memory].filter(Boolean).map((file) => readFileSync(file, "utf8"));
    };
    const goesOn = async () => {
      const count = () => inside("cat /tmp/i");
      const before = await count();
      await until("it goes on", async () => (await count()) !== before);
    };
    const before = hosts();
    await obstructed(obstacle, directoryOf(rig, id), async () => {
      for (const words of [["pause"], ["update", "--pids-limit", "30", "--memory", String(90 << 20)]]) {
        const { code, stderr } = await runv([...words, id]);
        expect([words, code, stderr]).toEqual([words, 1, expect.stringMatching(/write .*state\.json/)]);
        expect(await status(rig, id)).toBe("running");
      }
      await goesOn();
      expect(await inside(limits("cat /sys/fs/cgroup/memory.max"))).toBe(`40\n${96 << 20}\n`);
      expect(hosts()).toEqual(before);
    });
    // Neither of the two records says anything else.
    expect(record(rig, id, "state.json.copy")).toEqual(record(rig, id));
    expect(await runv(["pause", id])).toMatchObject({ code: 0 });
    await obstructed(obstacle, directoryOf(rig, id), async () => {
      expect(await runv(["resume", id])).toMatchObject({ code: 1, stderr: expect.stringContaining("state.json") });
      expect(await status(rig, id)).toBe("paused");
    });
    expect(await runv(["resume", id])).toMatchObject({ code: 0 });
    await goesOn();
    expect(await runv(["delete", "--force", id])).toMatchObject({ code: 0 });
  });

  runvTest(`${obstacle}: what does not start is not begun, and what cannot be deleted can be later`, async (rig) => {
    const { runv } = rig;
    const id = rig.id("one");
    const bundle = await rig.bundle({
      args: ["sh", "-c", "echo begun > /begun; sleep 1000"],
      change: ({ root }) => {
        root.readonly = false;
      },
    });
    const begun = join(JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")).root.path, "begun");
    expect(await runv(["create", "-b", bundle, id])).toMatchObject({ code: 0 });
    const { monitor, shim } = record(rig, id);
    await obstructed(obstacle, directoryOf(rig, id), async () => {
      expect(await runv(["start", id])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/write .*state\.json/),
      });
      expect(["created", "stopped"]).toContain(await status(rig, id));
      if (obstacle === "a read-only directory") {
        expect([await status(rig, id), existsSync(begun)]).toEqual(["created", false]);
      }
      const { code, stderr } = await runv(["delete", "--force", id]);
      expect([code, stderr]).toEqual([1, expect.stringMatching(/remove /)]);
      expect([monitor, shim].map(isAlive)).toEqual([false, false]);
    });
    expect(await runv(["delete", id])).toMatchObject({ code: 0 });
    expect(existsSync(directoryOf(rig, id))).toBe(false);
  });
}

runvTest("a full directory: nothing is left of what could not be made, and what runs is ended", async (rig) => {
  const root = join(rig.directory, "full");
  mkdirSync(root);
  const runv = (...words: string[]) => rig.runv(["--root", root, ...words]);
  const bundle = await rig.bundle({ args: ["sh", "-c", "echo said; exit 3"] });
  await command("mount", "-t", "tmpfs", "-o", "size=1m", "none", root);
  try {
    const fill = () => {
      try {
        writeFileSync(join(root, ".filled"), Buffer.alloc(2 << 20));
      } catch {}
    };
    fill();
    const id = rig.id("full");
    const run = await runv("run", "-b", bundle, id);
    expect([run.code, run.stdout, run.stderr]).toEqual([1, "", expect.stringContaining("write ")]);
    expect(readdirSync(root).filter((name) => name.startsWith(rig.name))).toEqual([]);
    rmSync(join(root, ".filled"));
    expect(await runv("create", "-b", bundle, id)).toMatchObject({ code: 0 });
    fill();
    expect(await runv("start", id)).toMatchObject({ code: 1, stderr: expect.stringContaining("write ") });
    expect(await runv("delete", "--force", id)).toMatchObject({ code: 0 });
    rmSync(join(root, ".filled"));
    expect(await runv("run", "-b", bundle, id)).toMatchObject({ code: 3, stdout: "said\n" });
  } finally {
    await command("umount", root);
  }
});
