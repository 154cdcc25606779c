/** Containers without a virtual machine (`--driver host`): their processes are this host's own, and whoever called runv is their parent. */
import { expect } from "bun:test";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { identityOf } from "../../src/linux/identity";
import { signalProcess } from "../../src/linux/processes";
import type { Config } from "../support/bundle";
import { processesOf } from "../support/processes";
import { reap } from "../support/reaper";
import { hostTest, type Rig, runvTest } from "../support/rig";
import { until } from "../support/until";

/** How many containers come and go. */
const cycles = Number(process.env.RUNV_TEST_CYCLES ?? 30);

const stateOf = async ({ runv }: Rig, id: string) => JSON.parse((await runv(["state", id])).stdout);

hostTest("the pid in the file is the container's process, and the caller's to reap", async (rig) => {
  const { runv, command, directory, id } = rig;
  const bundle = await rig.bundle({ args: ["sh", "-c", "while :; do sleep 1; done"] });
  const pidFile = join(directory, "pid");
  const reaped = reap(pidFile, command(["create", "-b", bundle, "--pid-file", pidFile, id("life")]));
  const { pid } = await until("the container is created", async () => {
    const { code, stdout } = await runv(["state", id("life")]);
    const state = code === 0 ? JSON.parse(stdout) : undefined;
    return state?.status === "created" && state;
  });
  expect(pid).toBe(Number(readFileSync(pidFile, "utf8")));
  expect(await runv(["start", id("life")])).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toStartWith("sh\0-c\0");
  expect((await runv(["kill", id("life"), "KILL"])).code).toBe(0);
  expect(await reaped).toEqual({ command: 0, pidFile: String(pid), child: true, status: 9 });
  expect(await stateOf(rig, id("life"))).toMatchObject({ status: "stopped", pid: 0 });
  expect((await runv(["delete", id("life")])).code).toBe(0);
});

hostTest("nothing of runv's stays beside a container", async (rig) => {
  const { runv, id, name } = rig;
  const bundle = await rig.bundle({ args: ["sleep", "1000"] });
  expect((await runv(["run", "-d", "-b", bundle, id("alone")])).code).toBe(0);
  expect((await runv(["exec", "-d", id("alone"), "sleep", "999"])).code).toBe(0);
  // All that runv starts has the rig's mark; the container's processes have an environment of their own.
  expect(processesOf(name)).toEqual([]);
  const { stdout } = await runv(["ps", "--format", "json", id("alone")]);
  expect(JSON.parse(stdout)).toHaveLength(2);
  expect((await runv(["delete", "--force", id("alone")])).code).toBe(0);
});

hostTest("exit codes, of run and of exec; a signal's is 128 and its number", async (rig) => {
  const { runv, id } = rig;
  const run = async (...args: string[]) => await runv(["run", "-b", await rig.bundle({ args }), id("run")]);
  expect(await run("sh", "-c", "echo out; echo err >&2; exit 7")).toEqual({
    code: 7,
    stdout: "out\n",
    stderr: "err\n",
  });
  // The first process of a pid namespace is immune to its own signals.
  expect((await run("sh", "-c", "sh -c 'kill -TERM $$'; exit $?")).code).toBe(143);
  expect(await run("missing")).toMatchObject({ code: 1, stderr: expect.stringContaining("executable file not found") });
  const bundle = await rig.bundle({ args: ["sleep", "1000"] });
  await runv(["run", "-d", "-b", bundle, id("main")]);
  expect(await runv(["exec", id("main"), "sh", "-c", "echo in; exit 5"])).toEqual({
    code: 5,
    stdout: "in\n",
    stderr: "",
  });
  expect((await runv(["exec", id("main"), "sh", "-c", "kill -KILL $$"])).code).toBe(137);
  expect((await runv(["exec", id("main"), "missing"])).code).toBe(255);
  expect((await runv(["delete", "--force", id("main")])).code).toBe(0);
});

hostTest("a signal to a command in the foreground reaches the process, however early it comes", async (rig) => {
  const bundle = await rig.bundle({
    args: ["sh", "-c", "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.1; done"],
  });
  const child = rig.spawn(["run", "-b", bundle, rig.id("signal")]);
  const reader = child.stdout.getReader();
  const text = async () => Buffer.from((await reader.read()).value ?? new Uint8Array()).toString();
  expect(await text()).toBe("up\n");
  child.kill("SIGTERM");
  expect(await text()).toBe("bye\n");
  expect(await child.exited).toBe(9);
});

hostTest("one that waits to be started can be signalled, entered and deleted", async (rig) => {
  const { runv, id } = rig;
  const bundle = await rig.bundle({ args: ["sleep", "1000"] });
  const create = async () => expect((await runv(["create", "-b", bundle, id("waits")])).code).toBe(0);
  await create();
  expect((await runv(["exec", id("waits"), "echo", "in"])).stdout).toBe("in\n");
  expect((await runv(["kill", id("waits"), "TERM"])).code).toBe(0);
  await until("it is stopped", async () => (await stateOf(rig, id("waits"))).status === "stopped");
  expect((await runv(["start", id("waits")])).stderr).toContain("cannot start a container that has stopped");
  expect((await runv(["delete", id("waits")])).code).toBe(0);
  await create();
  expect((await runv(["delete", id("waits")])).code).toBe(0);
});

hostTest("what fails after start is told by start", async (rig) => {
  const { runv, id } = rig;
  const bundle = await rig.bundle({
    args: ["/script"],
    change: ({ root }) => writeFileSync(join(root.path, "script"), "#!/nowhere\n", { mode: 0o755 }),
  });
  expect((await runv(["create", "-b", bundle, id("script")])).code).toBe(0);
  const start = await runv(["start", id("script")]);
  expect(start).toMatchObject({ code: 1, stderr: expect.stringContaining("exec /script: no such file or directory") });
  await until("it is stopped", async () => (await stateOf(rig, id("script"))).status === "stopped");
  expect((await runv(["delete", id("script")])).code).toBe(0);
  expect(await runv(["run", "-b", bundle, id("script")])).toEqual({
    code: 255,
    stdout: "",
    stderr: "exec /script: no such file or directory\n",
  });
});

hostTest("pause stops all processes, resume lets them go on, kill --all reaches each", async (rig) => {
  const { runv, id } = rig;
  const bundle = await rig.bundle({
    args: ["sh", "-c", "sleep 1000 & wait"],
    // Without a pid namespace they do not end with the first.
    change: ({ linux }) => {
      linux.namespaces = linux.namespaces.filter(({ type }) => type !== "pid");
    },
  });
  await runv(["run", "-d", "-b", bundle, id("all")]);
  const { pid } = await stateOf(rig, id("all"));
  expect((await runv(["pause", id("all")])).code).toBe(0);
  expect((await stateOf(rig, id("all"))).status).toBe("paused");
  expect((await runv(["exec", id("all"), "true"])).stderr).toContain("cannot exec in a paused container");
  expect((await runv(["resume", id("all")])).code).toBe(0);
  const sleeper = JSON.parse((await runv(["ps", "--format", "json", id("all")])).stdout).find(
    (one: number) => one !== pid,
  );
  const [first, second] = [identityOf(pid)!, identityOf(sleeper)!];
  expect((await runv(["kill", "--all", id("all"), "TERM"])).code).toBe(0);
  await until("both have ended", () => !signalProcess(first, 0) && !signalProcess(second, 0));
  expect((await runv(["delete", id("all")])).code).toBe(0);
  // Nor does a deleted one leave them.
  await runv(["run", "-d", "-b", bundle, id("all")]);
  expect((await runv(["delete", "--force", id("all")])).code).toBe(0);
});

hostTest("hooks see the true pid, and the container's network namespace", async (rig) => {
  const { directory, id } = rig;
  const write = (name: string, script: string) => ({
    path: "/bin/sh",
    args: ["sh", "-c", `${script} >${directory}/${name}`],
  });
  const network =
    "sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/' | { read pid; echo $pid $(readlink /proc/$pid/ns/net /proc/self/ns/net); }";
  const bundle = await rig.bundle({
    args: ["sh", "-c", "readlink /proc/self/ns/net; cat /mark"],
    change: (config) => {
      config.root.readonly = false;
      config.hooks = {
        prestart: [write("prestart", network)],
        createContainer: [write("createContainer", "pwd")],
        startContainer: [{ path: "/bin/sh", args: ["sh", "-c", "echo marked >/mark"] }],
        poststop: [write("poststop", "cat")],
      };
    },
  });
  const { code, stdout } = await rig.runv(["run", "-b", bundle, id("hooks")]);
  const said = (name: string) => readFileSync(join(directory, name), "utf8").trim().split(/\s+/);
  const [inside, mark] = stdout.split("\n");
  expect([code, mark]).toEqual([0, "marked"]);
  expect(said("prestart").slice(1)).toEqual([inside!, readlinkSync("/proc/self/ns/net")]);
  expect(said("createContainer")[0]).toStartWith(bundle);
  expect(said("poststop").join(" ")).toContain('"status":"stopped"');
});

hostTest("namespaces of others are joined by their paths", async (rig) => {
  const { runv, id } = rig;
  const bundle = await rig.bundle({ args: ["sleep", "1000"] });
  await runv(["run", "-d", "-b", bundle, id("first")]);
  const { pid } = await stateOf(rig, id("first"));
  const files: Record<string, string> = { network: "net", ipc: "ipc", uts: "uts", pid: "pid" };
  const joining = await rig.bundle({
    args: ["sh", "-c", "for f in net ipc uts pid mnt; do readlink /proc/self/ns/$f; done"],
    change: ({ linux }) => {
      for (const one of linux.namespaces) if (files[one.type]) one.path = `/proc/${pid}/ns/${files[one.type]}`;
    },
  });
  const { code, stdout } = await runv(["run", "-b", joining, id("second")]);
  const seen = stdout.trim().split("\n");
  expect([code, seen.slice(0, 4)]).toEqual([
    0,
    Object.values(files).map((file) => readlinkSync(`/proc/${pid}/ns/${file}`)),
  ]);
  expect(seen[4]).not.toBe(readlinkSync(`/proc/${pid}/ns/mnt`));
  await runv(["delete", "--force", id("first")]);
});

hostTest("a user namespace: its root is nobody of the host's, and owns the others", async (rig) => {
  const mapping = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  const bundle = await rig.bundle({
    args: [
      "sh",
      "-c",
      "id -u; read _ host _ </proc/self/uid_map; echo $host; hostname inside && hostname; echo x >/dev/null",
    ],
    change: (config) => {
      config.linux.namespaces.push({ type: "user" });
      config.linux.uidMappings = config.linux.gidMappings = mapping;
      const { capabilities } = config.process as unknown as { capabilities: Record<string, string[]> };
      for (const set of Object.values(capabilities)) set.push("CAP_SYS_ADMIN");
      for (let path = join(config.root.path, ".."); path !== "/tmp"; path = join(path, "..")) {
        Bun.spawnSync(["chmod", "755", path]);
      }
    },
  });
  const { code, stdout } = await rig.runv(["run", "-b", bundle, rig.id("user")]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "0\n100000\ninside\n" });
});

hostTest(`${cycles} containers come and go, and nothing grows`, async (rig) => {
  const { runv, id } = rig;
  const bundle = await rig.bundle({ args: ["true"] });
  // By their names: others on this machine have cgroups too.
  const count = () => ({ leaks: rig.leaks().sort(), root: readdirSync(rig.root) });
  const cycle = async (number: number) => {
    expect((await runv(["create", "-b", bundle, id(`cycle-${number}`)])).code).toBe(0);
    expect((await runv(["start", id(`cycle-${number}`)])).code).toBe(0);
    expect((await runv(["delete", "--force", id(`cycle-${number}`)])).code).toBe(0);
  };
  await cycle(0);
  const before = count();
  for (let number = 1; number <= cycles; number++) await cycle(number);
  expect(await until("all is as before", () => (Bun.deepEquals(count(), before) ? "same" : undefined))).toBe("same");
});

runvTest(
  "config.toml chooses it, or an annotation that it allows, and what a container was made on counts from then on",
  async (rig) => {
    const { runv, id, directory } = rig;
    const file = join(directory, "config.toml");
    const annotated = (config: Config) => {
      config.annotations = { "org.runv.driver": "host" };
    };
    const run = async (toml: string, change?: (config: Config) => void) => {
      writeFileSync(file, toml);
      const bundle = await rig.bundle({ args: ["sleep", "1000"], ...(change && { change }) });
      // Flags that are about a machine would be refused: this rig's are.
      const command = [...rig.command([]).slice(0, 1), "--root", rig.root, "run", "-d", "-b", bundle, id("chosen")];
      const output = openSync(join(directory, "output"), "w");
      const env = { ...process.env, RUNV_CONFIG: file };
      const code = await Bun.spawn(command, { env, stdio: ["ignore", output, output] }).exited;
      closeSync(output);
      return { code, said: readFileSync(join(directory, "output"), "utf8") };
    };
    const isOnHost = async () => {
      const { pid } = JSON.parse((await runv(["state", id("chosen")])).stdout);
      expect(statSync(`/proc/${pid}/root/bin/busybox`).isFile()).toBe(true);
      expect((await runv(["exec", id("chosen"), "true"])).code).toBe(0);
      expect((await runv(["delete", "--force", id("chosen")])).code).toBe(0);
    };
    expect(await run('driver = "host"\n')).toMatchObject({ code: 0 });
    await isOnHost();
    expect(await run('allow_annotations = ["org.runv.driver"]\n', annotated)).toMatchObject({ code: 0 });
    await isOnHost();
    const refused = await run("", annotated);
    expect(refused).toEqual({ code: 1, said: expect.stringContaining("is not allowed on this host") });
  },
);
