/** Under emulation clones are forked from the process of their template: quick, of few pages, and like any other machine. */
import { expect } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { identityOf } from "../src/linux/identity";
import { syscall } from "../src/linux/local";
import { processFiles } from "../src/sandbox/template/template-process";
import { partsOf } from "./drivers/support/parts";
import { rdrand, writeProgram } from "./support/machine-code";
import { reap } from "./support/reaper";
import { clean, type Rig, runvTest, templatesOf } from "./support/rig";
import { holders, parentOf, readyProcess, templates } from "./support/template-process";
import { until } from "./support/until";

const tcg = ["--driver", "tcg"];

function runv(rig: Rig, ...args: string[]) {
  return rig.runv([...tcg, "--template", templatesOf(rig), ...args]);
}

/** Runs a container in the background. @returns its id */
async function start(rig: Rig, suffix: string, bundle: string): Promise<string> {
  const id = rig.id(suffix);
  const result = await rig.runv([...tcg, "--template", templatesOf(rig), "run", "-d", "-b", bundle, id], {
    stdout: "/dev/null",
  });
  expect(result).toMatchObject({ code: 0, stderr: "" });
  return id;
}

const machineOf = (rig: Rig, id: string): number => partsOf(rig, id).machine!;
const isForked = (rig: Rig, id: string): boolean => holders(rig).includes(parentOf(parentOf(machineOf(rig, id))));
const sleeps = { args: ["sleep", "100000"] };

runvTest("a clone is forked from its template's process, and is confined as one that was started", async (rig) => {
  const bundle = await rig.bundle(sleeps);
  const started = await start(rig, "started", bundle);
  await readyProcess(rig);
  const forked = await start(rig, "forked", bundle);
  expect([isForked(rig, started), isForked(rig, forked)]).toEqual([false, true]);
  const look = (id: string) => {
    const pid = machineOf(rig, id);
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)![1];
    const uids = [0x7000_0000 + pid, 0x7000_0000 + pid, 0x7000_0000 + pid, 0x7000_0000 + pid].join("\t");
    expect([field("Uid"), field("Gid")]).toEqual([uids, uids]);
    const { monitor } = partsOf(rig, id);
    const namespace = (of: number, name: string) => readlinkSync(`/proc/${of}/ns/${name}`);
    return {
      fields: ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Groups", "THP_enabled"].map(
        field,
      ),
      limits: readFileSync(`/proc/${pid}/limits`, "utf8"),
      root: readdirSync(`/proc/${pid}/root`)
        .filter((name) => name !== "memory")
        .sort(),
      network: namespace(pid, "net") === namespace(monitor, "net"),
      mounts: namespace(pid, "mnt") === namespace(monitor, "mnt"),
      ipc: namespace(pid, "ipc") === namespace(process.pid, "ipc"),
      cgroups: readFileSync(`/proc/${pid}/cgroup`, "utf8") === readFileSync(`/proc/${monitor}/cgroup`, "utf8"),
      oom: readFileSync(`/proc/${pid}/oom_score_adj`, "utf8"),
      directory: readlinkSync(`/proc/${pid}/cwd`),
      named: readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`\0runv-${sandboxOf(rig, id)}\0`),
    };
  };
  expect(look(forked)).toEqual(look(started));
  expect(look(forked)).toMatchObject({ network: true, mounts: false, ipc: false, cgroups: true, named: true });
  await clean(rig);
});

runvTest(
  "who has created a container is not left with its template's process: conmon waits for all that it is left with",
  async (rig) => {
    const bundle = await rig.bundle(sleeps);
    const id = rig.id("created");
    const pidFile = join(rig.directory, "pid");
    const create = [...tcg, "--template", templatesOf(rig), "create", "-b", bundle, "--pid-file", pidFile, id];
    const reaped = reap(pidFile, rig.command(create), true);
    await until("the container is created", () => existsSync(pidFile), 60_000);
    expect((await runv(rig, "start", id)).code).toBe(0);
    const holder = await readyProcess(rig);
    expect((await runv(rig, "delete", "--force", id)).code).toBe(0);
    expect(await reaped).toMatchObject({ command: 0, child: true });
    expect(holders(rig)).toEqual([holder]);
  },
);

function sandboxOf({ root }: Rig, id: string): string {
  return JSON.parse(readFileSync(join(root, id, "state.json"), "utf8")).sandbox;
}

runvTest("nothing that changes is one with its parent's: descriptors", async (rig) => {
  const bundle = await rig.bundle(sleeps);
  await start(rig, "first", bundle);
  await readyProcess(rig);
  const [one, two] = [await start(rig, "one", bundle), await start(rig, "two", bundle)];
  const qemu = machineOf(rig, one);
  const others = [parentOf(qemu), machineOf(rig, two)];
  const files = (pid: number) => readdirSync(`/proc/${pid}/fd`).map(Number);
  const link = (pid: number, fd: number) => readlinkSync(`/proc/${pid}/fd/${fd}`);
  /** What may be: files that are only read, and /dev/null. */
  const harmless = /^\/memory$|^\/dev\/null$|^\/memfd:runv-preload/;
  const same = files(qemu)
    .filter((fd) => !harmless.test(link(qemu, fd)))
    .filter((fd) => others.some((pid) => files(pid).some((other) => isSameFile(qemu, fd, pid, other))));
  expect(same.map((fd) => link(qemu, fd))).toEqual([]);
  await clean(rig);
});

/** linux/kcmp.h */
const KCMP_FILE = 0;

/** Whether two descriptors are of one open file (kcmp(2), KCMP_FILE). */
function isSameFile(pid: number, fd: number, other: number, otherFd: number): boolean {
  return syscall("kcmp", pid, other, KCMP_FILE, fd, otherFd) === 0;
}

runvTest("fifty that were forked are no twins: random numbers, the processor's too, ids and time", async (rig) => {
  const secrets = [
    "cat /proc/sys/kernel/random/uuid",
    "cat /proc/sys/kernel/random/boot_id",
    "head -c 16 /dev/urandom | md5sum",
    "/rdrand | md5sum",
    "date +%s",
  ].join("; ");
  const bundle = await rig.bundle({
    args: ["sh", "-c", secrets],
    change: ({ root }) => writeProgram(join(root.path, "rdrand"), rdrand),
  });
  expect((await runv(rig, "run", "-b", bundle, rig.id("first"))).code).toBe(0);
  await readyProcess(rig);
  const seen: string[] = [];
  for (let clone = 0; clone < 50; clone++) {
    const before = Math.floor(Date.now() / 1000);
    const { code, stdout, stderr } = await runv(rig, "run", "-b", bundle, rig.id(`clone${clone}`));
    expect([code, stderr]).toEqual([0, ""]);
    const words = stdout.trim().split("\n");
    expect(words).toHaveLength(5);
    seen.push(...words.slice(0, 4));
    expect(Number(words[4])).toBeGreaterThanOrEqual(before);
    expect(Number(words[4])).toBeLessThanOrEqual(Date.now() / 1000 + 1);
  }
  expect(new Set(seen).size).toBe(4 * 50);
  // None was started instead, which would have said so and ended the process.
  expect(JSON.parse(readFileSync(processFiles(templates(rig)[0]!).record, "utf8")).notes).toBeDefined();
});

runvTest("a machine that was forked ends with its monitor, and not with its template's process", async (rig) => {
  const bundle = await rig.bundle(sleeps);
  await start(rig, "first", bundle);
  const holder = await readyProcess(rig);
  const [one, two] = [await start(rig, "one", bundle), await start(rig, "two", bundle)];
  expect([isForked(rig, one), isForked(rig, two)]).toEqual([true, true]);
  const machine = machineOf(rig, one);
  process.kill(partsOf(rig, one).monitor, "SIGKILL");
  await until("the machine has ended", () => identityOf(machine) === undefined);
  const parent = parentOf(machineOf(rig, two));
  process.kill(holder, "SIGKILL");
  await until("the template's machine has ended", () => identityOf(parent) === undefined);
  expect(await runv(rig, "exec", two, "echo", "alive")).toEqual({ code: 0, stdout: "alive\n", stderr: "" });
  // Who comes next is started, says why, and starts another process.
  const { code, stderr } = await rig.runv([
    ...tcg,
    "--template",
    templatesOf(rig),
    "run",
    "-b",
    await rig.bundle({ args: ["true"] }),
    rig.id("next"),
  ]);
  expect([code, stderr]).toEqual([0, ""]);
  await until("another process is ready", () => holders(rig).length === 1 && holders(rig)[0] !== holder, 60_000);
  await readyProcess(rig);
  expect(isForked(rig, await start(rig, "last", bundle))).toBeTrue();
  await clean(rig);
});

runvTest(
  "the process of a template ends with it, when nobody comes, and is not started where it is not wanted",
  async (rig) => {
    const bundle = await rig.bundle({ args: ["true"] });
    const config = join(rig.directory, "config.toml");
    const run = (suffix: string) =>
      rig.runv([...tcg, "--template", templatesOf(rig), "run", "-b", bundle, rig.id(suffix)], {
        env: { RUNV_CONFIG: config },
      });
    writeFileSync(config, "template_idle = 0\n");
    for (const suffix of ["makes", "clones"]) expect((await run(suffix)).code).toBe(0);
    expect(holders(rig)).toEqual([]);
    writeFileSync(config, "template_idle = 3\n");
    expect((await run("starts")).code).toBe(0);
    const idle = await readyProcess(rig);
    await until("it has ended", () => identityOf(idle) === undefined, 60_000);
    writeFileSync(config, "template_idle = 300\n");
    expect((await run("again")).code).toBe(0);
    const removed = await readyProcess(rig);
    expect((await runv(rig, "template", "rm", "--all")).code).toBe(0);
    await until("it has ended, too", () => identityOf(removed) === undefined);
    expect(readdirSync(templatesOf(rig)).filter((name) => name !== ".lock")).toEqual([]);
  },
);

runvTest("template stop ends the process, and what was forked from it goes on", async (rig) => {
  const bundle = await rig.bundle(sleeps);
  await start(rig, "first", bundle);
  const holder = await readyProcess(rig);
  const id = await start(rig, "forked", bundle);
  const list = async () => JSON.parse((await runv(rig, "template", "ls", "--format", "json")).stdout);
  expect(await list()).toMatchObject([{ status: "good", process: "ready" }]);
  expect(await runv(rig, "template", "stop", "--all")).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(identityOf(holder)).toBeUndefined();
  expect(await list()).toMatchObject([{ status: "good", process: "none" }]);
  expect((await runv(rig, "exec", id, "true")).code).toBe(0);
  await start(rig, "starts", bundle);
  await until("another is starting", async () => (await list())[0].process === "starting");
  expect(await runv(rig, "template", "stop", "--all")).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(holders(rig)).toEqual([]);
  expect(readdirSync(templatesOf(rig)).filter((name) => name.startsWith(".process-"))).toEqual([]);
  // One that is killed over it is not waited for: the next start starts another.
  await start(rig, "again", bundle);
  await until("another is starting", async () => (await list())[0].process === "starting");
  process.kill(holders(rig)[0]!, "SIGKILL");
  await until("it has gone", () => holders(rig).length === 0);
  expect(await list()).toMatchObject([{ process: "none" }]);
  await start(rig, "after", bundle);
  await readyProcess(rig);
  await clean(rig);
});

runvTest("the pool's machines are forked, too", async (rig) => {
  const bundle = await rig.bundle({ args: ["true"] });
  expect((await runv(rig, "run", "-b", bundle, rig.id("first"))).code).toBe(0);
  await readyProcess(rig);
  const pool = ["--pool", join(rig.directory, "pool")];
  expect(await runv(rig, ...pool, "pool", "start", "--size", "1")).toMatchObject({ code: 0, stderr: "" });
  expect((await runv(rig, ...pool, "run", "-b", bundle, rig.id("pooled"))).code).toBe(0);
  expect(JSON.parse((await runv(rig, ...pool, "pool", "status", "--format", "json")).stdout)).toMatchObject([
    { failed: 0 },
  ]);
  expect((await runv(rig, ...pool, "pool", "stop")).code).toBe(0);
  // A fork that fails would have dismissed the process.
  expect(JSON.parse((await runv(rig, "template", "ls", "--format", "json")).stdout)).toMatchObject([
    { process: "ready" },
  ]);
});

runvTest("twenty at once from one process", async (rig) => {
  const bundle = await rig.bundle(sleeps);
  await start(rig, "first", bundle);
  await readyProcess(rig);
  const ids = await Promise.all(Array.from({ length: 20 }, (_, index) => start(rig, String(index), bundle)));
  expect(ids.filter((id) => !isForked(rig, id))).toEqual([]);
  const said = await Promise.all(ids.map((id) => runv(rig, "exec", id, "cat", "/proc/sys/kernel/random/boot_id")));
  expect(new Set(said.map(({ stdout }) => stdout)).size).toBe(20);
  await clean(rig);
});
