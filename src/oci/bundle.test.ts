import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { RunvError } from "../base/error";
import { loadBundle, loadProcess, loadResources } from "./bundle";

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "runv-bundle-")));
afterAll(() => rmSync(scratch, { recursive: true }));

let count = 0;

/** A new directory with a config.json of this text. */
function bundle(text?: string): string {
  const directory = join(scratch, `b${count++}`);
  mkdirSync(join(directory, "rootfs"), { recursive: true });
  if (text !== undefined) writeFileSync(join(directory, "config.json"), text);
  return directory;
}

function configWith(path: string, more: object = {}): string {
  return JSON.stringify({ ociVersion: "1.0.0", process: { args: ["sh"], cwd: "/" }, root: { path }, ...more });
}

function refusal(load: () => unknown): [code: string, message: string] {
  try {
    load();
  } catch (error) {
    if (!(error instanceof RunvError)) throw error;
    // Docker would take these for a missing command.
    expect(error.message).not.toMatch(/executable file not found|no such file or directory|permission denied/i);
    return [error.code, error.message];
  }
  throw new Error("was loaded");
}

test("the root file system is found from the bundle, wherever the caller is", () => {
  const directory = bundle(configWith("rootfs"));
  const rootfs = join(directory, "rootfs");
  expect(loadBundle(directory)).toMatchObject({ bundle: directory, rootfs });
  expect(loadBundle(relative(process.cwd(), directory))).toMatchObject({ bundle: directory, rootfs });
  expect(loadBundle(bundle(configWith(rootfs))).rootfs).toBe(rootfs);
  expect(loadBundle(bundle(configWith("."))).rootfs).toMatch(/\/b\d+$/);
});

test("a symbolic link to the root file system is followed", () => {
  const directory = bundle(configWith("link"));
  symlinkSync("rootfs", join(directory, "link"));
  expect(loadBundle(directory).rootfs).toBe(join(directory, "rootfs"));
});

test("a destination may have the host's path of the root before it, as with runc", () => {
  const directory = bundle();
  const rootfs = join(directory, "rootfs");
  const destinations = [`${rootfs}/a/b`, rootfs, `${rootfs}2/a`, "/a"];
  const mounts = destinations.map((destination) => ({ destination, type: "tmpfs" }));
  writeFileSync(join(directory, "config.json"), configWith("rootfs", { mounts }));
  const { config } = loadBundle(directory);
  expect(config.mounts.map(({ destination }) => destination)).toEqual(["/a/b", "/", `${rootfs}2/a`, "/a"]);
});

test("what is missing is named", () => {
  expect(refusal(() => loadBundle(join(scratch, "none")))).toEqual([
    "BUNDLE_INVALID",
    `bundle ${join(scratch, "none")}: not found`,
  ]);
  expect(refusal(() => loadBundle(bundle()))).toEqual([
    "BUNDLE_INVALID",
    "JSON specification file config.json not found",
  ]);
  const directory = bundle(configWith("none"));
  expect(refusal(() => loadBundle(directory))).toEqual([
    "BUNDLE_INVALID",
    `root.path: root file system ${join(directory, "none")}: not found`,
  ]);
});

test("what is of the wrong kind is named", () => {
  const directory = bundle(configWith("config.json"));
  const file = join(directory, "config.json");
  expect(refusal(() => loadBundle(file))).toEqual(["BUNDLE_INVALID", `bundle ${file}: is not a directory`]);
  expect(refusal(() => loadBundle(directory))[1]).toBe(`root.path: root file system ${file}: is not a directory`);
  const other = bundle();
  mkdirSync(join(other, "config.json"));
  expect(refusal(() => loadBundle(other))[1]).toBe("JSON specification file config.json: is a directory");
  const loop = bundle(configWith("loop"));
  symlinkSync("loop", join(loop, "loop"));
  expect(refusal(() => loadBundle(loop))[1]).toEndWith("/loop: too many levels of symbolic links");
});

test("broken JSON is told by line and column", () => {
  expect(refusal(() => loadBundle(bundle('{\n  "ociVersion": 1.0.0\n}')))).toEqual([
    "CONFIG_SYNTAX",
    'config.json: invalid JSON at line 2, column 17: expected a value, got "1.0.0"',
  ]);
});

test("what runv cannot honour is refused", () => {
  const notify = { linux: { seccomp: { defaultAction: "SCMP_ACT_NOTIFY" } } };
  expect(refusal(() => loadBundle(bundle(configWith("rootfs", notify))))).toEqual([
    "CONFIG_UNSUPPORTED",
    "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is not supported: the supervisor would be outside the virtual machine",
  ]);
  const mount = { destination: "/a", source: "/b", options: ["bind", "remount"] };
  expect(refusal(() => loadBundle(bundle(configWith("rootfs", { mounts: [mount] }))))[1]).toBe(
    "mounts[0].options: remount: every mount is a new one",
  );
});

test("a process and resources by themselves", () => {
  const file = join(scratch, "part.json");
  writeFileSync(file, '{"args":["id"],"cwd":"/tmp"}');
  expect(loadProcess(file)).toMatchObject({ args: ["id"], cwd: "/tmp", env: [] });
  expect(refusal(() => loadProcess(join(scratch, "none")))[1]).toBe(
    `JSON specification file ${join(scratch, "none")} not found`,
  );
  writeFileSync(file, '{"args":["id"],"cwd":"tmp"}');
  expect(refusal(() => loadProcess(file))).toEqual(["CONFIG_INVALID", "cwd: must be an absolute path"]);
  writeFileSync(file, '{"cpu":{"quota":50000,"period":0}}');
  expect(loadResources(file).cpu).toEqual({ quota: 50000, period: 0 });
  writeFileSync(file, '{"cpu":{"quota":"50000"}}');
  expect(refusal(() => loadResources(file))[1]).toBe("cpu.quota: expected an integer, got a string");
});
