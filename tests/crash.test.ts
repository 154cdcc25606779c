/**
 * What is left when a part of runv dies by force: the truth from `state` and `list` at once, a `delete --force` that succeeds, and
 * nothing else. Each part is killed while the container does nothing, and while it writes as fast as it can.
 */
import { describe, expect } from "bun:test";
import { closeSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { identityOf } from "../src/linux/identity";
import { command } from "./support/command";
import { type Rig, runvTest } from "./support/rig";
import { until } from "./support/until";

interface Parts {
  shim: number;
  monitor: number;
  machine: number;
}

/** The processes of a container, as its record has them. */
function partsOf({ root }: Rig, id: string): Parts {
  const { shim, monitor, machine } = JSON.parse(readFileSync(join(root, id, "state.json"), "utf8"));
  return { shim: shim.pid, monitor: monitor.pid, machine: machine.pid };
}

async function states(rig: Rig, id: string): Promise<string[]> {
  const [state, list] = await Promise.all([rig.runv(["state", id]), rig.runv(["list", "--format", "json"])]);
  const listed: { id: string; status: string }[] = JSON.parse(list.stdout) ?? [];
  return [JSON.parse(state.stdout).status, ...listed.map(({ status }) => status)];
}

/** After the crash: the truth, then a delete that succeeds, twice. What it leaves is looked for after each test. */
async function expectStopped(rig: Rig, id: string): Promise<void> {
  expect(await states(rig, id)).toEqual(["stopped", "stopped"]);
  const refused = await rig.runv(["exec", id, "true"]);
  expect([refused.code, refused.stderr]).toEqual([255, expect.stringContaining("cannot exec in a stopped container")]);
  await expectDeleted(rig, id);
}

async function expectDeleted(rig: Rig, id: string): Promise<void> {
  for (const _ of [1, 2]) {
    expect(await rig.runv(["delete", "--force", id])).toEqual({ code: 0, stdout: "", stderr: "" });
  }
  expect((await rig.runv(["state", id])).stderr).toContain("container does not exist");
  expect((await rig.runv(["list", "-q"])).stdout).toBe("");
}

const read = (path: string): string => readFileSync(path, "utf8");

const works = {
  idle: ["sleep", "1000"],
  // Also to a file of the share, so that the file server is busy too.
  busy: ["sh", "-c", "while :; do dd if=/dev/zero bs=64k count=64 2>/dev/null | tee /tmp/file; done"],
};

for (const [work, args] of Object.entries(works)) {
  describe(`a container that is ${work}`, () => {
    for (const part of ["shim", "monitor", "machine"] as const) {
      runvTest(`kill -9 of the ${part}`, async (rig) => {
        const id = rig.id(part);
        const bundle = await writable(rig, args);
        const output = "/dev/null";
        expect((await rig.runv(["run", "-d", "-b", bundle, id], { stdout: output, stderr: output })).code).toBe(0);
        const detached = await rig.runv(["exec", "-d", id, ...args], { stdout: output, stderr: output });
        expect(detached.code).toBe(0);
        const pid = partsOf(rig, id)[part];
        process.kill(pid, "SIGKILL");
        // All threads of a process go before it is dead; until then it is not.
        await until(`the ${part} is dead`, () => identityOf(pid) === undefined);
        if (part === "machine") {
          const log = join(rig.root, id, "monitor.log");
          await until("the monitor says so in its log", () =>
            /the virtual machine is lost: .*(SIGKILL|not known)/.test(read(log)),
          );
        }
        await expectStopped(rig, id);
      });
    }

    runvTest("kill -9 of the foreground run", async (rig) => {
      const id = rig.id("run");
      const bundle = await writable(rig, args);
      const child = rig.spawn(["run", "-b", bundle, id]);
      const drained = new Response(child.stdout).bytes();
      await until("the container runs", async () => /"running"/.test((await rig.runv(["state", id])).stdout), 60_000);
      child.kill("SIGKILL");
      await child.exited;
      // As with runc, the container does not need the command that started it.
      expect(await states(rig, id)).toEqual(["running", "running"]);
      expect((await rig.runv(["exec", id, "echo", "alive"])).stdout).toBe("alive\n");
      await expectDeleted(rig, id);
      await drained;
    });

    runvTest("the guest's kernel panics", async (rig) => {
      const id = rig.id("panic");
      const bundle = await writable(rig, args, true);
      const output = "/dev/null";
      expect((await rig.runv(["run", "-d", "-b", bundle, id], { stdout: output, stderr: output })).code).toBe(0);
      const exec = await rig.runv(["exec", id, "sh", "-c", "echo c > /proc/sysrq-trigger; sleep 1000"]);
      expect(exec.code).not.toBe(0);
      expect((await rig.runv(["console", id])).stdout).toContain("sysrq");
      await expectStopped(rig, id);
    });
  });
}

runvTest("a machine that does not answer: its containers can be killed and deleted, one by one", async (rig) => {
  const { runv, id } = rig;
  const one = await rig.bundle({ args: works.idle });
  expect((await runv(["run", "-d", "-b", one, id("one")])).code).toBe(0);
  const { shim, machine } = partsOf(rig, id("one"));
  const two = await rig.bundle({
    args: works.idle,
    change: ({ linux }) => {
      linux.namespaces = linux.namespaces.filter(({ type }) => type !== "ipc");
      linux.namespaces.push({ type: "ipc", path: `/proc/${shim}/ns/ipc` });
    },
  });
  expect((await runv(["run", "-d", "-b", two, id("two")])).code).toBe(0);
  expect((await runv(["pause", id("one")])).code).toBe(0);
  process.kill(machine, "SIGSTOP");
  const silent = expect.stringContaining("the virtual machine does not answer");
  // All at once: each waits for more than a minute.
  const unanswered = await Promise.all(
    [
      ["kill", id("two"), "TERM"],
      ["resume", id("one")],
      ["ps", id("one")],
      ["exec", id("two"), "true"],
    ].map((args) => runv(args)),
  );
  const refused = expect.stringMatching(/the virtual machine does not answer.*runv delete --force/s);
  expect(unanswered).toEqual([1, 1, 1, 255].map((code) => ({ code, stdout: "", stderr: refused })));
  expect(await runv(["kill", id("two"), "KILL"])).toEqual({ code: 0, stdout: "", stderr: silent });
  const status = async (name: string) => JSON.parse((await runv(["state", id(name)])).stdout).status;
  expect(await status("one")).toBe("paused");
  await until("it is stopped", async () => (await status("two")) === "stopped");
  expect(await runv(["delete", id("two")])).toEqual({ code: 0, stdout: "", stderr: silent });
  expect((await runv(["list", "-q"])).stdout).toBe(`${id("one")}\n`);
  await expectDeleted(rig, id("one"));
});

async function writable(rig: Rig, args: string[], sysrq = false): Promise<string> {
  return await rig.bundle({
    args,
    change: ({ root, linux }) => {
      root.readonly = false;
      if (!sysrq) return;
      linux.readonlyPaths = [];
      linux.maskedPaths = [];
    },
  });
}

describe("create, killed half-way", () => {
  /** What is there when it is killed. */
  const points: Record<string, (rig: Rig, id: string) => boolean> = {
    "as soon as it has the id": ({ root }, id) => existsSync(join(root, id)),
    "when there is a sandbox": ({ root }) => sandboxes(root).length > 0,
    "when the container is recorded": ({ root }, id) => existsSync(join(root, id, "state.json")),
    "when the monitor listens": ({ root }) => sandboxes(root).some((path) => existsSync(join(path, "control"))),
    "while the kernel boots": ({ root }, id) => sizeOf(join(root, id, "console.log")) > 0,
    "when the kernel has booted": ({ root }, id) => sizeOf(join(root, id, "console.log")) > 1500,
  };
  for (const [point, reached] of Object.entries(points)) {
    runvTest(point, async (rig) => {
      const id = rig.id("create");
      const bundle = await rig.bundle({ args: ["sleep", "1000"] });
      const child = rig.spawn(["create", "-b", bundle, id]);
      // Without a pause between two looks: the moments are short.
      while (!reached(rig, id) && child.exitCode === null) await Bun.sleep(0);
      child.kill("SIGKILL");
      await child.exited;
      expect(child.signalCode).toBe("SIGKILL");
      const state = await rig.runv(["state", id]);
      if (state.code === 0) expect(JSON.parse(state.stdout)).toMatchObject({ status: "stopped", pid: 0 });
      else expect(state.stderr).toContain("container does not exist");
      await expectDeleted(rig, id);
      // The id is free again.
      const again = await rig.runv(["create", "-b", join(rig.directory, "missing"), id]);
      expect(again.stderr).toContain("missing");
    });
  }

  runvTest("by a signal that it could catch", async (rig) => {
    const id = rig.id("create");
    const bundle = await rig.bundle();
    const child = rig.spawn(["run", "-b", bundle, id]);
    await until("the kernel boots", () => sizeOf(join(rig.root, id, "console.log")) > 0, 60_000);
    child.kill("SIGTERM");
    expect(await child.exited).not.toBe(0);
    await expectDeleted(rig, id);
  });
});

runvTest("the disk under --root is full", async (rig) => {
  const root = join(rig.directory, "small");
  mkdirSync(root);
  await command("mount", "-t", "tmpfs", "-o", "size=64k", "none", root);
  const full = (args: string[]) => rig.runv(["--root", root, ...args]);
  try {
    const bundle = await rig.bundle({ args: ["sleep", "1000"] });
    const id = rig.id("full");
    const fill = () => {
      try {
        writeFileSync(join(root, ".filler"), Buffer.alloc(64 << 10));
      } catch {}
    };
    fill();
    const create = await full(["create", "-b", bundle, id]);
    expect([create.code, create.stderr]).toEqual([1, expect.stringContaining("the disk is full")]);
    expect(readdirSync(root)).toEqual([".filler"]);
    expect((await full(["list", "-q"])).stdout).toBe("");
    writeFileSync(join(root, ".filler"), "");
    expect((await full(["run", "-d", "-b", bundle, id])).code).toBe(0);
    fill();
    expect(JSON.parse((await full(["state", id])).stdout).status).toBe("running");
    const pause = await full(["pause", id]);
    expect([pause.code, pause.stderr]).toEqual([1, expect.stringContaining("the disk is full")]);
    expect(JSON.parse((await full(["state", id])).stdout).status).toBe("running");
    expect((await full(["exec", id, "echo", "works"])).stdout).toBe("works\n");
    expect((await full(["kill", id, "KILL"])).code).toBe(0);
    await until("it has stopped", async () => JSON.parse((await full(["state", id])).stdout).status === "stopped");
    expect((await full(["delete", "--force", id])).code).toBe(0);
    expect(readdirSync(root).filter((name) => !name.startsWith("."))).toEqual([]);
  } finally {
    await command("umount", root);
  }
});

function sandboxes(root: string): string[] {
  const directory = join(root, ".sandboxes");
  return existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];
}

function sizeOf(file: string): number {
  try {
    return readFileSync(file).length;
  } catch {
    return 0;
  }
}

runvTest("a monitor ends when nobody tells it what it is to be for", async (rig) => {
  const [program = ""] = rig.command([]);
  const monitor = Bun.spawn([program], {
    env: { PATH: process.env.PATH, RUNV_COMMAND: "monitor" },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  closeSync(monitor.stdio[3] as unknown as number);
  expect([await monitor.exited, await monitor.stdout.text(), await monitor.stderr.text()]).toEqual([0, "", ""]);
});

runvTest("a container that cannot be made leaves the monitor that was started for it to end", async (rig) => {
  const bundle = await rig.bundle({ args: ["true"] });
  const config = JSON.parse(read(join(bundle, "config.json")));
  config.mounts.push({ destination: "/mnt", type: "bind", source: "/no/such", options: ["bind"] });
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
  const { code, stderr } = await rig.runv(["run", "-b", bundle, rig.id("refused")]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("/no/such")]);
});
