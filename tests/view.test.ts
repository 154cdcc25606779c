/**
 * What a container sees of itself, under runv and under the real runc: the same, line by line, but for the differences that
 * `view/differences.ts` has with their reasons. One that is listed and not seen any more is a failure as well, unless it is
 * there by chance.
 *
 * All containers of runv share one machine, in whose network namespace they are; of runc's, too.
 */
import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Architecture, architecture } from "../src/linux/syscalls";
import { capabilityNames } from "../src/oci/capabilities";
import { testArchitecture } from "./support/architecture";
import type { BundleOptions, Config } from "./support/bundle";
import { command } from "./support/command";
import { type Lab, makeLab } from "./support/lab";
import type { Rig } from "./support/rig";
import { forgetRunc, runc } from "./support/runc";
import type { Result } from "./support/runv";
import { sharedRig } from "./support/shared";
import { cases, type Volumes } from "./view/cases";
import { differences, foreignDifferences } from "./view/differences";
import { probeFor } from "./view/probe";
import { missingFrom, readView } from "./view/view";

let lab: Lab;
let volumes: Volumes;
let network: string;

const shared = sharedRig(
  async (rig) => {
    lab = await makeLab(rig.name);
    network = (await lab.station()).path;
    volumes = { nested: join(rig.directory, "nested") };
    mkdirSync(join(volumes.nested, "inner"), { recursive: true });
    writeFileSync(join(volumes.nested, "file"), "root:x:0:\n");
    await command("mount", "-t", "tmpfs", "-o", "mode=755", "none", join(volumes.nested, "inner"));
    writeFileSync(join(volumes.nested, "inner/deep"), "");
    const machine = await rig.bundle({ args: ["sleep", "100000"], change: joinNetwork });
    expect(await rig.runv(["run", "-d", "-b", machine, rig.id("machine")])).toMatchObject({ code: 0, stderr: "" });
  },
  async () => {
    await command("umount", join(volumes.nested, "inner"));
    rmSync(volumes.nested, { recursive: true });
    await lab.remove();
  },
);

/** A network namespace of its own is another machine. */
function joinNetwork({ linux }: Config): void {
  for (const namespace of linux.namespaces) if (namespace.type === "network") namespace.path ??= network;
}

interface Seen {
  config: Config;
  ours: Result;
  theirs: Result;
}

/** Runs the probe with both, each with a bundle of its own: what runc makes in the root file system stays there. */
async function look(rig: Rig, options: BundleOptions): Promise<Seen> {
  let config!: Config;
  const bundle = (programs?: Architecture) =>
    rig.bundle({
      ...options,
      ...(programs !== undefined && { architecture: programs }),
      change: (made) => {
        options.change?.(made);
        made.process.args = ["sh", "-c", probeFor(made)];
        onlyWhatTheHostHas(made);
        leaveShares(made);
        // A user namespace's root is to come to the root file system.
        for (let path = dirname(made.root.path); path !== "/tmp"; path = dirname(path)) chmodSync(path, 0o755);
        config = made;
      },
    });
  // With RUNV_TEST_ARCH runv has guests of another architecture; runc has what this machine runs.
  const [own, other] = [await bundle(), await bundle(architecture)];
  // One after the other: both write into the same volumes.
  const ourRun = ["run", "-b", own, rig.id("ours")];
  const ours = await run(config, rig.command(ourRun), () => rig.runv(ourRun));
  const theirRun = ["run", "-b", other, rig.id("theirs")];
  const theirs = await run(config, ["runc", "--root", join(rig.directory, "runc"), ...theirRun], () =>
    runc(rig, theirRun),
  );
  forgetRunc(rig);
  return { config, ours, theirs };
}

/** A pod that asks for no processor (2 shares of 1024) comes to nothing on a machine that has anything else to do. */
function leaveShares({ linux }: Config): void {
  const { cpu } = (linux.resources ?? {}) as { cpu?: { shares?: number } };
  if (cpu?.shares !== undefined && cpu.shares < 256) cpu.shares = 256;
}

/** Where these tests are run themselves in a container, runc has no more than that, and cannot give more. */
function onlyWhatTheHostHas({ process }: Config): void {
  const bounding = BigInt(`0x${/^CapBnd:\t(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8"))![1]}`);
  const isThere = (name: string) => {
    const number = (capabilityNames as readonly string[]).indexOf(name);
    return number < 0 || ((bounding >> BigInt(number)) & 1n) === 1n;
  };
  const sets = process.capabilities as Record<string, string[]> | string[] | undefined;
  if (sets === undefined || Array.isArray(sets)) return;
  for (const [set, names] of Object.entries(sets)) sets[set] = names.filter(isThere);
}

/** A container with a terminal wants one of its caller: script(1) makes it. */
async function run({ process }: Config, words: readonly string[], plain: () => Promise<Result>): Promise<Result> {
  if (process.terminal !== true) return await plain();
  const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const child = Bun.spawn(["script", "-qec", quoted, "/dev/null"], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, stdout, stderr] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, stdout, stderr };
}

const isForeign = testArchitecture() !== architecture;
const listed = isForeign ? [...differences, ...foreignDifferences] : differences;
const found = new Set<(typeof differences)[number]>();

/** How it ended and what was said of it, whenever that was. */
function resultOf({ code, stderr }: Result): string {
  return `${code} ${stderr.trim().replaceAll(/time="[^"]*"/g, "time")}`;
}

function compare(name: string, { config, ours, theirs }: Seen): void {
  const here = readView(`${theirs.stdout}== result\n${resultOf(theirs)}`, config, true);
  const there = readView(`${ours.stdout}== result\n${resultOf(ours)}`, config, false);
  const unexplained = [
    ...missingFrom(there, here).map((line) => `runv ${line}`),
    ...missingFrom(here, there).map((line) => `runc ${line}`),
  ].filter((line) => {
    const reason = listed.find(
      ({ only, lines }) => (only === undefined || only.test(name)) && lines.some((pattern) => pattern.test(line)),
    );
    if (reason !== undefined) found.add(reason);
    return reason === undefined;
  });
  expect(unexplained).toEqual([]);
  expect(ours.code).toBe(7);
}

for (const [name, change] of Object.entries(cases)) {
  shared(`the view of ${name}`, async (rig) => {
    const seen = await look(rig, {
      change: (config) => {
        change(config, volumes);
        joinNetwork(config);
      },
    });
    compare(name, seen);
  });
}

const configs = join(import.meta.dir, "configs");
for (const file of readdirSync(configs)) {
  if (!("process" in JSON.parse(readFileSync(join(configs, file), "utf8")))) continue;
  const config = file.replace(".json", "");
  shared(`the view of ${config}`, async (rig) => {
    compare(config, await look(rig, { config, change: joinNetwork }));
  });
}

test("each difference that is listed is still there, and docs/conformance.md has it", () => {
  const page = readFileSync(join(import.meta.dir, "../docs/conformance.md"), "utf8");
  expect(differences.filter(({ reason }) => !page.includes(`\n- ${reason}\n`))).toEqual([]);
  const foreignPage = readFileSync(join(import.meta.dir, "../docs/arm64.md"), "utf8");
  expect(foreignDifferences.filter(({ reason }) => !foreignPage.includes(`\n- ${reason}\n`))).toEqual([]);
  const gone = listed.filter((difference) => !difference.byChance && !found.has(difference));
  expect(gone.map(({ reason }) => reason)).toEqual([]);
});
