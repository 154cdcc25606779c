/** Machines that are clones: made once, never twins, and made again when their template is not what it was. */
import { expect } from "bun:test";
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findQemu, identifyQemu } from "../src/hypervisor/qemu/binary";
import { atLeast } from "../src/hypervisor/qemu/version";
import { defaultMemoryMiB, memorySource } from "../src/sandbox/default-memory";
import { partsOf } from "./drivers/support/parts";
import { output } from "./support/command";
import { copyProject } from "./support/copy-project";
import { type Rig, runvTest, templatesOf } from "./support/rig";
import { binary } from "./support/runv";
import { until } from "./support/until";

/** What two machines must not have in common. */
const secrets = [
  "cat /proc/sys/kernel/random/uuid",
  "cat /proc/sys/kernel/random/boot_id",
  "head -c 16 /dev/urandom | md5sum",
  "date +%s",
].join("; ");

const keys = (rig: Rig) => readdirSync(templatesOf(rig)).filter((name) => !name.startsWith("."));

function run(rig: Rig, bundle: string, suffix: string) {
  return rig.runv(["--template", templatesOf(rig), "run", "--bundle", bundle, rig.id(suffix)]);
}

runvTest("clones have their own random numbers, ids and the host's time", async (rig) => {
  const bundle = await rig.bundle({ args: ["sh", "-c", secrets] });
  const seen: string[] = [];
  for (let clone = 0; clone < 12; clone++) {
    const before = Math.floor(Date.now() / 1000);
    const { code, stdout, stderr } = await run(rig, bundle, `clone${clone}`);
    expect([code, stderr]).toEqual([0, ""]);
    const [uuid = "", bootId = "", random = "", date = ""] = stdout.trim().split("\n");
    seen.push(uuid, bootId, random);
    expect(Number(date)).toBeGreaterThanOrEqual(before);
    expect(Number(date)).toBeLessThanOrEqual(Date.now() / 1000 + 1);
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(keys(rig)).toHaveLength(1);
});

runvTest("a template that was written to is made again", async (rig) => {
  const bundle = await rig.bundle({ args: ["echo", "hi"] });
  expect((await run(rig, bundle, "first")).stdout).toBe("hi\n");
  const [key = ""] = keys(rig);
  appendFileSync(join(templatesOf(rig), key, "memory"), "x");
  expect((await run(rig, bundle, "second")).stdout).toBe("hi\n");
  expect(keys(rig)).toEqual([key]);
});

runvTest(
  "memory that a clone's guest frees goes back to the host, and is not taken out of the template",
  async (rig) => {
    const bundle = await rig.bundle({ args: ["sleep", "100000"] });
    // So that the template is read in no time.
    const flags = ["--template", templatesOf(rig), "--default_memory", "256"];
    const runv = (...args: string[]) => rig.runv([...flags, ...args]);
    expect((await runv("run", "-d", "-b", bundle, rig.id("first"))).code).toBe(0);
    const id = rig.id("second");
    expect((await runv("run", "-d", "-b", bundle, id)).code).toBe(0);
    const memory = join(templatesOf(rig), keys(rig)[0]!, "memory");
    const content = () => createHash("sha256").update(readFileSync(memory)).digest("hex");
    const before = content();
    const own = () => anonymousOf(partsOf(rig, id).machine!);
    const has = own();
    // Its buffer is gone when it ends.
    expect((await runv("exec", id, "dd", "if=/dev/zero", "of=/dev/null", "bs=40M", "count=1")).code).toBe(0);
    await until("the memory comes back", () => own() < has + 20, 60_000);
    expect(content()).toBe(before);
    for (const name of ["first", "second"]) expect((await runv("delete", "--force", rig.id(name))).code).toBe(0);
  },
);

/** What a process has for itself of its memory, shared or not, in MiB. */
function anonymousOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Anonymous: +(\d+) kB$/m.exec(text)![1]) / 1024;
}

/** Adds a source to a copy of the project, and builds runv in it, which says that it is of the same commit. */
const buildAnother = `
echo 'export const another = 1;' >>"$1/src/base/version.ts"
GIT_DIR=$(git rev-parse --absolute-git-dir 2>/dev/null || true) "$1/build"`;

runvTest(
  "what was built from other sources, if of the same commit, uses none of the templates that are there",
  async (rig) => {
    const bundle = await rig.bundle({ args: ["echo", "hi"] });
    expect((await run(rig, bundle, "first")).stdout).toBe("hi\n");
    const [old = ""] = keys(rig);
    const copy = join(rig.directory, "copy");
    await copyProject(copy);
    await output("bash", "-euc", buildAnother, "build", copy);
    const other = join(copy, "dist/runv");
    expect(await output(other, "--version")).toBe(await output(binary, "--version"));
    const [, ...words] = rig.command(["--template", templatesOf(rig), "run", "--bundle", bundle, rig.id("second")]);
    // It starts no process of the template, which would outlive it.
    const config = join(rig.directory, "config.toml");
    writeFileSync(config, "template_idle = 0\n");
    expect(await output("env", `RUNV_CONFIG=${config}`, other, ...words)).toBe("hi\n");
    expect(keys(rig)).toHaveLength(2);
    expect(keys(rig)).toContain(old);
  },
);

runvTest("without templates a machine boots, and makes none", async (rig) => {
  const bundle = await rig.bundle({ args: ["cat", "/proc/uptime"] });
  const booted = await rig.runv(["--template", templatesOf(rig), "--no-template", "run", "-b", bundle, rig.id("cold")]);
  expect(booted.code).toBe(0);
  expect(() => readdirSync(templatesOf(rig))).toThrow();
});

runvTest("several first starts at once: one makes the template, the others boot", async (rig) => {
  const bundles = await Promise.all([0, 1, 2].map(() => rig.bundle({ args: ["echo", "hi"] })));
  const results = await Promise.all(bundles.map((bundle, index) => run(rig, bundle, `at-once${index}`)));
  expect(results.map(({ code, stdout }) => [code, stdout])).toEqual([0, 1, 2].map(() => [0, "hi\n"]));
  expect(keys(rig)).toHaveLength(1);
});

runvTest("template build, ls, rm and gc; the first start clones what was built", async (rig) => {
  const template = (...args: string[]) => rig.runv(["--template", templatesOf(rig), "template", ...args]);
  const list = async () => JSON.parse((await template("ls", "--format", "json")).stdout);
  expect(await list()).toEqual([]);
  const built = await template("build");
  expect([built.code, built.stderr]).toEqual([0, ""]);
  const key = built.stdout.trim();
  expect(await template("build")).toMatchObject({ code: 0, stdout: `${key}\n` });
  const memoryMiB = defaultMemoryMiB(memorySource("auto", undefined, templatesOf(rig)));
  const subject = { cpus: 1, memoryMiB, network: "namespace" };
  expect(await list()).toMatchObject([{ key, status: "good", subject }]);
  const { ctimeMs } = statSync(join(templatesOf(rig), key, "memory"));
  const bundle = await rig.bundle({ args: ["echo", "hi"] });
  expect((await run(rig, bundle, "first")).stdout).toBe("hi\n");
  expect(keys(rig)).toEqual([key]);
  expect(statSync(join(templatesOf(rig), key, "memory")).ctimeMs).toBe(ctimeMs);

  expect(await template("rm", "another")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("TEMPLATE_UNKNOWN"),
  });
  appendFileSync(join(templatesOf(rig), key, "state"), "x");
  expect(await list()).toMatchObject([{ key, status: "damaged" }]);
  expect((await template("gc")).stdout).toBe(`${key} (damaged)\n`);
  expect(keys(rig)).toEqual([]);
});

runvTest("manage create-template and remove-template, of runV 1.0", async (rig) => {
  const manage = (word: string) => rig.runv(["--template", templatesOf(rig), "manage", word]);
  expect(await manage("create-template")).toMatchObject({ code: 0, stdout: "", stderr: "" });
  expect(keys(rig)).toHaveLength(1);
  expect(await manage("remove-template")).toMatchObject({ code: 0, stdout: "", stderr: "" });
  expect(keys(rig)).toEqual([]);
});

runvTest("where no template can be written the machine boots, and the log and check say why", async (rig) => {
  const bundle = await rig.bundle({ args: ["cat", "/proc/uptime"] });
  const full = join(rig.directory, "full");
  const readOnly = join(rig.directory, "read-only");
  for (const directory of [full, readOnly]) mkdirSync(directory);
  // In a mount namespace of the command's own: a file system of 8 MiB, one that is read-only, and a file where the directory is to be.
  const small = `mount -t tmpfs -o size=8m tmpfs ${full}`;
  const fixed = `mount -t tmpfs -o ro tmpfs ${readOnly}`;
  writeFileSync(join(rig.directory, "file"), "");
  const cases: [name: string, setUp: string, directory: string, said: RegExp][] = [
    ["small", small, full, /has \d MiB free/],
    ["fixed", fixed, readOnly, /EROFS/],
    ["limited", "ulimit -f 65536", join(rig.directory, "limited"), /RLIMIT_FSIZE/],
    ["file", "true", join(rig.directory, "file/below"), /ENOTDIR|cannot be written/],
  ];
  for (const [name, setUp, directory, said] of cases) {
    const log = join(rig.directory, `${name}.log`);
    const words = ["--log", log, "--template", directory, "run", "-b", bundle, rig.id(name)];
    const result = await rig.runv(words, { through: ["unshare", "-m", "bash", "-c", `${setUp}; exec "$@"`, "run"] });
    expect([name, result.code, result.stderr]).toEqual([name, 0, ""]);
    expect(Number(result.stdout.split(" ")[0])).toBeGreaterThan(0);
    expect(readFileSync(log, "utf8")).toMatch(/no template is made, the machine boots/);
    expect(readFileSync(log, "utf8")).toMatch(said);
  }
  const { stdout } = await rig.runv(["--template", join(rig.directory, "file/below"), "check"]);
  expect(stdout).toMatch(/^warning +templates +none can be made/m);
});

/**
 * Versions that nobody has seen: scripts in QEMU's place, which say that they are version 99 and change what QEMU does.
 * @param change shell's words before QEMU's are run, which are "$@"
 */
async function unseen(rig: Rig, name: string, change: string): Promise<string> {
  // In a home of its own, which the jail takes in.
  const directory = join(rig.directory, name);
  mkdirSync(directory);
  const qemu = join(directory, "qemu");
  // What was added to emulated processors in 8.0 is refused by those before.
  const older = !atLeast((await identifyQemu()).version, "8.0");
  const words = older ? 'for word do shift; case $word in max,*) word=max,-erms;; esac; set -- "$@" "$word"; done' : "";
  const script = ["#!/bin/sh", 'case "$1" in --version) echo QEMU emulator version 99.0.0; exit;; esac', words, change];
  writeFileSync(qemu, [...script, `exec ${findQemu()} "$@"\n`].join("\n"), { mode: 0o755 });
  const config = join(directory, "config.toml");
  writeFileSync(config, `qemu = "${qemu}"\n`);
  return config;
}

runvTest("what a QEMU that nobody has seen refuses costs the template, and check says so", async (rig) => {
  const bundle = await rig.bundle({ args: ["echo", "hi"] });
  const cases: [name: string, change: string, said: RegExp][] = [
    ["save", 'case "$*" in *share=on*) ulimit -f 1;; esac', /could not be made, its machines boot: /],
    [
      "restore",
      'case "$*" in *" -incoming "*) echo gone >&2; exit 1;; esac',
      /could not be made, its machines boot: what was saved does not come up: .*gone/,
    ],
  ];
  for (const [name, change, said] of cases) {
    const env = { RUNV_CONFIG: await unseen(rig, name, change) };
    const words = ["--driver", "tcg", "--template", join(rig.directory, name, "templates")];
    for (const nth of name === "save" ? ["first"] : ["first", "second"]) {
      const log = join(rig.directory, name, `${nth}.log`);
      const result = await rig.runv([...words, "--log", log, "run", "-b", bundle, rig.id(name + nth)], { env });
      expect([name, nth, result]).toEqual([name, nth, { code: 0, stdout: "hi\n", stderr: "" }]);
      // The second does not try again.
      expect([name, nth, /template/.test(readFileSync(log, "utf8"))]).toEqual([name, nth, nth === "first"]);
    }
    const { stdout } = await rig.runv([...words, "check"], { env });
    expect(stdout).toMatch(/version 99\.0\.0; newer than/);
    expect(stdout).toMatch(said);
  }
});
