/** Each call of the API with good and with bad input: what it does, and the status and words of what is refused. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { command, output } from "../support/command";
import { makeImage, onDisk } from "../support/disk-image";
import { sharedRig } from "../support/shared";
import { until } from "../support/until";
import { brief, TestDaemon } from "./support/daemon";
import { Fifos } from "./support/fifos";

let daemon: TestDaemon;
let main: string;

/** One container of the file; some tests have others. */
const shared = sharedRig(
  async (rig) => {
    daemon = await TestDaemon.launch(rig);
    main = rig.id("main");
    const loop = 'trap "exit 3" TERM; while :; do sleep 0.1; done';
    const bundlePath = await rig.bundle({ args: ["sh", "-c", loop], change: ({ root }) => (root.readonly = false) });
    await daemon.call("CreateContainer", { id: main, bundlePath, labels: ["a=b"], runtime: "runc" });
  },
  async () => await daemon.close(),
);

const unknown = { code: 2, details: "containerd: container not found" };
const noProcess = { code: 2, details: "containerd: process not found for container" };

shared("GetServerVersion, and the health that Docker asks for", async () => {
  expect(await daemon.call("GetServerVersion", {})).toMatchObject({ major: 0, minor: 2, patch: 5 });
  expect(await daemon.call("Check", {})).toEqual({ status: 1 });
});

shared("State: all fields; a bad id", async ({ bundles }) => {
  const { containers, machine } = await daemon.call("State", { id: main });
  expect(machine).toMatchObject({ cpus: expect.any(Number), memory: expect.any(BigInt) });
  const [container] = containers;
  expect(container).toMatchObject({
    id: main,
    bundlePath: bundles()[0]!,
    status: "running",
    labels: ["a=b"],
    runtime: "runc",
  });
  const [init] = container!.processes;
  expect(init).toMatchObject({
    pid: "init",
    terminal: false,
    cwd: "/",
    noNewPrivileges: true,
    args: ["sh", "-c", expect.any(String)],
  });
  expect(init!.capabilities).toContain("CAP_KILL");
  expect(init!.rlimits).toEqual([{ type: "RLIMIT_NOFILE", soft: 1024n, hard: 1024n }]);
  expect(container!.pids).toEqual([init!.systemPid]);
  expect(existsSync(`/proc/${init!.systemPid}/ns/net`)).toBe(true);
  expect(await daemon.try("State", { id: "nope" })).toEqual(unknown);
});

shared("CreateContainer: what is refused, and nothing is left of it", async (rig) => {
  const [bundlePath = ""] = rig.bundles();
  const refused = (request: object) => daemon.try("CreateContainer", { id: rig.id("x"), bundlePath, ...request });
  expect(await refused({ bundlePath: "" })).toEqual({ code: 2, details: "empty bundle path" });
  const missing = join(rig.directory, "missing");
  expect(await refused({ bundlePath: missing })).toEqual({
    code: 5,
    details: `open ${missing}/config.json: no such file or directory`,
  });
  expect(await refused({ id: main })).toEqual({ code: 6, details: `mkdir ${daemon.root}/${main}: file exists` });
  for (const id of ["", "../x", ".sandboxes", "x".repeat(300)])
    expect(await refused({ id })).toMatchObject({ code: 2 });
  expect(await refused({ checkpoint: "c1" })).toMatchObject({
    code: 2,
    details: expect.stringContaining("/checkpoints/c1/checkpoint.json: not found"),
  });
  expect(await refused({ checkpoint: "../c1" })).toMatchObject({ details: "invalid checkpoint name ../c1" });
  expect(await refused({ stdout: join(rig.directory, "nowhere") })).toMatchObject({
    code: 2,
    details: expect.stringContaining(`open ${rig.directory}/nowhere as stdout`),
  });
  expect(await refused({ runtimeArgs: ["--foo"] })).toMatchObject({
    code: 2,
    details: expect.stringContaining("-foo"),
  });
  expect((await daemon.call("State", {})).containers.map(({ id }) => id)).toEqual([main]);
});

shared("CreateContainer: a command that is not there", async (rig) => {
  const bundlePath = await rig.bundle({ args: ["/no/such"] });
  expect(await daemon.try("CreateContainer", { id: rig.id("none"), bundlePath })).toMatchObject({
    code: 2,
    details: expect.stringMatching(
      /^oci runtime error: .*exec: "\/no\/such": stat \/no\/such: no such file or directory/,
    ),
  });
  expect((await daemon.stored(rig.id("none"))).map(brief)).toEqual([]);
});

shared("AddProcess: as whom, where and with what it runs", async (rig) => {
  const fifos = new Fifos(rig.directory).open();
  const events = daemon.follow({ id: main });
  const script =
    'id -u; id -g; id -G; pwd; echo "$A-$PATH"; ulimit -n; grep -E "CapBnd|NoNew" /proc/self/status; exit 4';
  const request = {
    id: main,
    pid: "full",
    args: ["/bin/sh", "-c", script],
    user: { uid: 7, gid: 8, additionalGids: [9, 10] },
    cwd: "/tmp",
    env: ["A=1", "PATH=/bin"],
    capabilities: ["CAP_KILL"],
    rlimits: [{ type: "RLIMIT_NOFILE", soft: 77n, hard: 78n }],
    noNewPrivileges: true,
    ...fifos.paths,
  };
  await daemon.call("AddProcess", request);
  expect((await events.see("exit", main, "full")).status).toBe(4);
  expect(events.events.map(brief)).toEqual([`start-process ${main} full 0`, `exit ${main} full 4`]);
  await fifos.see(/CapBnd:.*\nNoNew.*\n/);
  expect(fifos.output).toStartWith("7\n8\n8 9 10\n/tmp\n1-/bin\n77\n");
  expect(fifos.output).toMatch(/CapBnd:\t0000000000000020\n/);
  expect(fifos.output).toMatch(/NoNewPrivs:\t1\n/);
  events.close();
  fifos.close();
});

shared("AddProcess: a default environment; the container's capabilities and limits", async (rig) => {
  const fifos = new Fifos(rig.directory).open();
  await daemon.call("AddProcess", {
    id: main,
    pid: "bare",
    args: ["sh", "-c", "echo $PATH; ulimit -n"],
    cwd: "/",
    ...fifos.paths,
  });
  await fifos.see(/^\/usr\/local\/sbin:.*:\/bin\n1024\n/);
  fifos.close();
  await until(
    "it is gone",
    async () => (await daemon.call("State", { id: main })).containers[0]!.processes.length === 1,
  );
});

shared(
  "AddProcess: its end is told at once, and what others write that hold its output comes when it comes",
  async (rig) => {
    const fifos = new Fifos(rig.directory).open();
    const events = daemon.follow({ id: main });
    const script = "mkfifo /dev/shm/late; (read x < /dev/shm/late; echo late; echo error >&2) & echo early; exit 9";
    await daemon.call("AddProcess", { id: main, pid: "late", args: ["sh", "-c", script], cwd: "/", ...fifos.paths });
    expect((await events.see("exit", main, "late")).status).toBe(9);
    expect([fifos.output, fifos.errors]).toEqual(["early\n", ""]);
    await daemon.call("AddProcess", { id: main, pid: "go", args: ["sh", "-c", "echo > /dev/shm/late"], cwd: "/" });
    await fifos.see(/^early\nlate\n$/);
    await until("the error has come", () => fifos.errors === "error\n");
    events.close();
    fifos.close();
  },
);

shared("AddProcess: what is refused", async (rig) => {
  const refused = (request: object) =>
    daemon.try("AddProcess", { id: main, pid: "p", args: ["true"], cwd: "/", ...request });
  expect(await refused({ id: "nope" })).toEqual(unknown);
  expect(await refused({ id: "" })).toEqual({ code: 2, details: "container id cannot be empty" });
  expect(await refused({ pid: "" })).toEqual({ code: 2, details: "process id cannot be empty" });
  expect(await refused({ pid: "init" })).toEqual({
    code: 6,
    details: `mkdir ${daemon.root}/${main}/init: file exists`,
  });
  expect(await refused({ args: [] })).toMatchObject({ code: 2 });
  expect(await refused({ cwd: "relative" })).toMatchObject({ code: 2 });
  expect(await refused({ args: ["nothing"] })).toMatchObject({
    code: 2,
    details: expect.stringContaining("executable file not found in $PATH"),
  });
  expect(await refused({ stdin: join(rig.directory, "nowhere") })).toMatchObject({ code: 2 });
  expect((await daemon.call("State", { id: main })).containers[0]!.processes).toHaveLength(1);
});

shared("Signal and UpdateProcess: a process of its own, and wrong ones", async (rig) => {
  const fifos = new Fifos(rig.directory).open();
  const script =
    'trap "echo usr" USR1; echo ready; while read line; do echo "got $line"; done; echo end; while :; do sleep 0.1; done';
  const events = daemon.follow({ id: main });
  await daemon.call("AddProcess", { id: main, pid: "p", args: ["sh", "-c", script], cwd: "/", ...fifos.paths });
  expect(await daemon.try("AddProcess", { id: main, pid: "p", args: ["true"], cwd: "/" })).toMatchObject({ code: 6 });
  await fifos.see(/ready\n/);
  fifos.write("one\n");
  await fifos.see(/got one\n/);
  // What is in the FIFO when stdin is to be closed still arrives.
  fifos.write("two\nthree\n");
  await daemon.call("UpdateProcess", { id: main, pid: "p", closeStdin: true });
  await fifos.see(/got two\ngot three\nend\n/);
  await daemon.call("UpdateProcess", { id: main, pid: "p", closeStdin: true });
  await daemon.call("Signal", { id: main, pid: "p", signal: 10 });
  await fifos.see(/usr\n/);
  expect(await daemon.try("Signal", { id: main, pid: "p", signal: 65 })).toEqual({
    code: 2,
    details: "invalid argument",
  });
  await daemon.call("Signal", { id: main, pid: "p", signal: 9 });
  expect((await events.see("exit", main, "p")).status).toBe(137);
  for (const call of ["Signal", "UpdateProcess"] as const) {
    expect(await daemon.try(call, { id: main, pid: "p" })).toEqual(noProcess);
    expect(await daemon.try(call, { id: "nope", pid: "init" })).toEqual(unknown);
  }
  await daemon.call("Signal", { id: main, pid: "init", signal: 0 });
  events.close();
  fifos.close();
});

shared("a terminal starts without a size, is resized, and has one output", async (rig) => {
  const fifos = new Fifos(rig.directory).open();
  const script = 'trap "stty size" WINCH; stty size; while :; do sleep 0.1; done';
  await daemon.call("AddProcess", {
    id: main,
    pid: "tty",
    terminal: true,
    args: ["sh", "-c", script],
    cwd: "/",
    ...fifos.paths,
  });
  // busybox's stty has nothing to show then.
  await fifos.see(/^stty: standard input.*\r\n/);
  await daemon.call("UpdateProcess", { id: main, pid: "tty", width: 99, height: 33 });
  await fifos.see(/33 99\r\n/);
  await daemon.call("UpdateProcess", { id: main, pid: "tty", closeStdin: true });
  const events = daemon.follow({ id: main });
  await daemon.call("Signal", { id: main, pid: "tty", signal: 9 });
  await events.see("exit", main, "tty");
  expect(fifos.errors).toBe("");
  events.close();
  fifos.close();
});

shared("UpdateContainer: pause, resume, limits, and what is none of them", async () => {
  const events = daemon.follow({ id: main });
  const update = (request: object) => daemon.try("UpdateContainer", { id: main, pid: "init", ...request });
  expect(await update({ status: "paused" })).toEqual({});
  await events.see("pause", main);
  expect((await daemon.call("State", { id: main })).containers[0]!.status).toBe("paused");
  expect(await daemon.try("AddProcess", { id: main, pid: "p", args: ["true"], cwd: "/" })).toMatchObject({ code: 2 });
  expect(await update({ status: "paused" })).toMatchObject({ code: 2 });
  expect(await update({ status: "running" })).toEqual({});
  await events.see("resume", main);
  expect(await update({ status: "running" })).toMatchObject({ code: 2 });
  expect(await update({ status: "frozen" })).toEqual({ code: 2, details: "containerd: unknown container status" });
  expect(await update({ resources: { memoryLimit: 200n << 20n, cpuShares: 512n } })).toEqual({});
  const { cgroup_stats } = await daemon.call("Stats", { id: main });
  expect(cgroup_stats!.memory_stats!.usage!.limit).toBe(200n << 20n);
  expect(await update({ resources: { cpusetCpus: "bad" } })).toMatchObject({ code: 2 });
  expect(await daemon.try("UpdateContainer", { id: "nope", status: "paused" })).toEqual(unknown);
  expect(events.events.map(({ type }) => type)).toEqual(["pause", "resume"]);
  events.close();
});

shared("Stats: numbers of the container, and times for both wires", async () => {
  const { cgroup_stats, timestamp, seconds } = await daemon.call("Stats", { id: main });
  const { cpu_stats, memory_stats, pids_stats } = cgroup_stats!;
  const { total_usage, percpu_usage } = cpu_stats!.cpu_usage!;
  expect(total_usage).toBeGreaterThan(0n);
  expect(percpu_usage.reduce((sum, each) => sum + each, 0n)).toBe(total_usage);
  expect(cpu_stats!.system_usage).toBeGreaterThan(total_usage);
  expect(memory_stats!.usage!.usage).toBeGreaterThan(0n);
  expect(memory_stats!.stats).toHaveProperty("anon");
  expect(pids_stats!.current).toBeGreaterThan(0n);
  expect(timestamp!.seconds).toBe(seconds);
  expect(await daemon.try("Stats", { id: "nope" })).toEqual(unknown);
});

shared("checkpoints: what is refused, and nothing is left of it", async ({ bundles }) => {
  const [bundle = ""] = bundles();
  const create = (checkpoint: object) => daemon.try("CreateCheckpoint", { id: main, checkpoint });
  expect(await create({ name: "c" })).toMatchObject({
    code: 2,
    details: expect.stringContaining("root.path is served over 9p"),
  });
  expect(await create({ name: "c", tcp: true })).toMatchObject({ details: expect.stringContaining("tcp: ") });
  expect(await create({ name: "c", emptyNS: ["pid"] })).toMatchObject({ details: expect.stringContaining("emptyNS") });
  expect(await create({ name: "../c" })).toMatchObject({ details: "invalid checkpoint name ../c" });
  expect(await daemon.call("ListCheckpoint", { id: main })).toEqual({ checkpoints: [] });
  mkdirSync(join(bundle, "checkpoints/c"), { recursive: true });
  expect(await create({ name: "c" })).toMatchObject({ details: expect.stringContaining("/checkpoints/c") });
  expect(await daemon.try("ListCheckpoint", { id: main })).toMatchObject({
    details: expect.stringContaining("/c/config.json: not found"),
  });
  rmSync(join(bundle, "checkpoints"), { recursive: true });
  expect(await daemon.try("DeleteCheckpoint", { id: main, name: ".." })).toMatchObject({ code: 2 });
  expect(await daemon.try("ListCheckpoint", { id: "nope" })).toEqual({ code: 5, details: "no such containers" });
  expect(await daemon.try("CreateCheckpoint", { id: "nope", checkpoint: { name: "c" } })).toEqual(unknown);
  expect(await daemon.try("DeleteCheckpoint", { id: main })).toMatchObject({
    details: "checkpoint name cannot be empty",
  });
});

shared("a container goes on where a checkpoint of it was made", async (rig) => {
  const disk = await makeImage(rig.directory);
  const script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done";
  const bundlePath = await rig.bundle(onDisk(disk, ["sh", "-c", script]));
  const id = rig.id("saved");
  const ended = async (times: number) => {
    const exits = async () => (await daemon.stored(id)).filter(({ type, pid }) => type === "exit" && pid === "init");
    await until("its end", async () => (await exits()).length === times, 60_000);
    expect((await exits()).map(({ status }) => status)).toEqual(Array(times).fill(137));
  };
  const ctr = (...args: string[]) => daemon.ctr(["checkpoints", ...args]);
  const before = new Fifos(rig.directory).open();
  await daemon.call("CreateContainer", { id, bundlePath, ...before.paths });
  await before.see(/3\n/);
  expect(await ctr("create", "--exit", "--shell", id, "one")).toEqual({ code: 0, stdout: "", stderr: "" });
  await ended(1);
  const after = new Fifos(rig.directory).open();
  await daemon.call("CreateContainer", { id, bundlePath, ...after.paths, checkpoint: "one" });
  await after.see(/\d+\n\d+\n\d+\n/);
  const { stdout } = await ctr("list", id);
  expect(stdout.replaceAll(/ +/g, " ")).toBe("NAME TCP UNIX SOCKETS SHELL\none false false true\n");
  expect((await ctr("delete", id, "one")).code).toBe(0);
  expect(await daemon.call("ListCheckpoint", { id })).toEqual({ checkpoints: [] });
  await daemon.call("Signal", { id, pid: "init", signal: 9 });
  await ended(2);
  const numbers = (before.output + after.output).trim().split("\n").map(Number);
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  before.close();
  after.close();
});

shared("Events: from a moment, of one container, stored only, on both wires", async () => {
  const all = await daemon.stored();
  expect(all.length).toBeGreaterThan(5);
  const times = all.map(({ timestamp }) => timestamp!.seconds * 1_000_000_000n + BigInt(timestamp!.nanos));
  expect(times.every((time, index) => index === 0 || time > times[index - 1]!)).toBe(true);
  const [, , third, fourth] = all;
  const after = daemon.follow({ timestamp: third!.timestamp!, storedOnly: true });
  await until("the end of the stream", () => after.end !== undefined);
  expect(after.events[0]).toEqual(fourth!);
  expect(await daemon.stored("nope")).toEqual([]);
  const bad = daemon.follow({ storedOnly: true });
  await until("the refusal", () => bad.end !== undefined);
  expect(bad.end).toBe("2: invalid parameter: StoredOnly cannot be specified without setting a valid Timestamp");
  const never = daemon.follow({ timestamp: { seconds: -62_135_596_801n, nanos: 0 } });
  await until("the refusal", () => never.end !== undefined);
  expect(never.end).toStartWith("2: ");
  const old = daemon.follow({ seconds: 1n });
  await until("live", () => old.events.some(({ type }) => type === "live"));
  expect(old.events.map(({ type }) => type)).toEqual([...all.map(({ type }) => type), "live"]);
  expect(old.events.every(({ seconds, timestamp }) => seconds > 0n && timestamp === null)).toBe(true);
  old.close();
});

shared("a client that goes in mid-stream is forgotten", async () => {
  const streams = Array.from({ length: 20 }, () => daemon.follow({ seconds: 1n }));
  await until("all are live", () => streams.every(({ events }) => events.some(({ type }) => type === "live")));
  for (const stream of streams) stream.close();
  expect(await daemon.call("GetServerVersion", {})).toMatchObject({ minor: 2 });
});

shared("output that nobody reads waits; SIGKILL gives it up", async (rig) => {
  const fifos = new Fifos(rig.directory);
  const events = daemon.follow({ id: main });
  const args = ["sh", "-c", "head -c 100000 /dev/zero; exit 6"];
  await daemon.call("AddProcess", { id: main, pid: "full", args, cwd: "/", ...fifos.paths });
  const finished = { code: 2, details: "os: process already finished" };
  const term = async () => (await daemon.try("Signal", { id: main, pid: "full", signal: 28 })) as object;
  await until("it has ended", async () => Bun.deepEquals(await term(), finished), 60_000);
  expect(events.events.map(({ type }) => type)).toEqual(["start-process"]);
  await daemon.call("Signal", { id: main, pid: "full", signal: 9 });
  expect((await events.see("exit", main, "full")).status).toBe(6);
  events.close();
});

shared("a prestart hook of that time: its first argument is its name, its input the state", async (rig) => {
  const out = join(rig.directory, "hook");
  mkdirSync(out);
  const hook = {
    path: "/bin/busybox",
    args: ["sh", "-c", `tr '\\0' ' ' </proc/$$/cmdline >${out}/argv; cat >${out}/state`],
  };
  const bundlePath = await rig.bundle({ args: ["true"], change: (config) => (config.hooks = { prestart: [hook] }) });
  const id = rig.id("hook");
  const events = daemon.follow({ id });
  await daemon.call("CreateContainer", { id, bundlePath });
  expect((await events.see("exit", id)).status).toBe(0);
  expect(readFileSync(`${out}/argv`, "utf8")).toStartWith("sh -c ");
  expect(JSON.parse(readFileSync(`${out}/state`, "utf8"))).toMatchObject({
    id,
    pid: expect.any(Number),
    bundle: bundlePath,
  });
  rmSync(out, { recursive: true });
  events.close();
});

shared("the network of another container by its systemPid, as Docker's --net=container:", async (rig) => {
  const { containers } = await daemon.call("State", { id: main });
  const { systemPid } = containers[0]!.processes[0]!;
  const path = `/proc/${systemPid}/ns/net`;
  expect(readlinkSync(path)).not.toBe(readlinkSync("/proc/self/ns/net"));
  const fifos = new Fifos(rig.directory).open();
  const look = "readlink /proc/self/ns/net; cat /proc/sys/kernel/random/boot_id; ip link show lo";
  const bundlePath = await rig.bundle({
    args: ["sh", "-c", `ip link set lo mtu 40000; ${look}`],
    change: ({ linux, process }) => {
      linux.namespaces = [...linux.namespaces.filter(({ type }) => type !== "network"), { type: "network", path }];
      process.capabilities = ["CAP_NET_ADMIN"];
    },
  });
  const id = rig.id("joins");
  const events = daemon.follow({ id });
  await daemon.call("CreateContainer", { id, bundlePath, ...fifos.paths });
  expect((await events.see("exit", id)).status).toBe(0);
  const exec = new Fifos(rig.directory).open();
  const request = { id: main, pid: "looks", args: ["sh", "-c", look], cwd: "/" };
  const ofMain = daemon.follow({ id: main });
  await daemon.call("AddProcess", { ...request, ...exec.paths });
  await ofMain.see("exit", main, "looks");
  await until("both have told all", () => [fifos, exec].every(({ output }) => output.split("\n").length === 5));
  expect(fifos.output).toMatch(/^net:\[\d+\]\n[0-9a-f-]{36}\n.* mtu 40000 /s);
  expect(exec.output).toBe(fifos.output);
  for (const open of [fifos, exec, events, ofMain]) open.close();
});

shared("a container that is deleted while it is made: the daemon goes on", async (rig) => {
  const [id, gate] = [rig.id("hooked"), join(rig.directory, "gate")];
  await command("mkfifo", gate);
  const hook = { path: "/bin/sh", args: ["sh", "-c", `cat >/dev/null; echo waits >${gate}; cat ${gate}`] };
  const bundlePath = await rig.bundle({
    args: ["sleep", "1000"],
    change: (config) => (config.hooks = { prestart: [hook] }),
  });
  const making = daemon.try("CreateContainer", { id, bundlePath });
  // In a process of its own: this one's call is to go out meanwhile.
  expect(await output("cat", gate)).toBe("waits\n");
  const deletion = daemon.runv(["delete", "--force", id]);
  await command("sh", "-c", `: >${gate}`);
  expect(await deletion).toMatchObject({ code: 0, stderr: "" });
  await making;
  await until("its end", async () => (await daemon.call("State", {})).containers.every((one) => one.id !== id));
  expect(existsSync(`${daemon.root}/${id}`)).toBe(false);
});

shared("the end of memory is told before the exit that it causes", async (rig) => {
  const id = rig.id("oom");
  const bundlePath = await rig.bundle({
    args: ["sh", "-c", "x=0123456789abcdef; while :; do x=$x$x; done"],
    change: ({ linux }) => (linux.resources = { memory: { limit: 32 << 20 } }),
  });
  const events = daemon.follow({ id });
  await daemon.call("CreateContainer", { id, bundlePath });
  expect((await events.see("exit", id)).status).toBe(137);
  expect(events.events.map(({ type }) => type)).toEqual(["start-container", "oom", "exit"]);
  events.close();
});
