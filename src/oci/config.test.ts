import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { loadProcess, loadResources } from "./bundle";
import { readConfig } from "./config";
import { parseJson } from "./json";
import { readDocument } from "./mismatch";
import { resources } from "./resources";

const directory = new URL("../../tests/configs/", import.meta.url).pathname;
const files = readdirSync(directory);

function read(file: string) {
  return readConfig(parseJson(readFileSync(directory + file, "utf8"), file));
}

test("there are configurations to read", () => expect(files.length).toBeGreaterThanOrEqual(30));

for (const file of files) {
  test(`${file} is accepted`, () => {
    if (file.includes("-process")) expect(loadProcess(directory + file).args[0]).toBe("sh");
    else if (file.includes("-update-")) expect(loadResources(directory + file).memory?.limit).toBe(67108864);
    else expect(read(file).process.args.length).toBeGreaterThan(0);
  });
}

test("what is left out is empty, or absent where that means something else", () => {
  const { linux, process, root, mounts, hooks, annotations } = readConfig({
    ociVersion: "1.2.0",
    process: { args: ["sh"], cwd: "/", user: null },
    root: { path: "rootfs" },
  });
  expect(process.user).toEqual({ uid: 0, gid: 0, additionalGids: [] });
  expect(process).not.toHaveProperty("capabilities");
  expect([root.readonly, process.terminal, process.noNewPrivileges]).toEqual([false, false, false]);
  expect([mounts, process.env, process.rlimits, annotations, hooks.prestart, linux.namespaces]).toEqual([
    [],
    [],
    [],
    {},
    [],
    [],
  ]);
  expect(linux).not.toHaveProperty("resources");
});

test("the flat list of capabilities of 2016 fills the sets that Docker fills today", () => {
  const { capabilities } = read("docker-1.11.2.json").process;
  expect(capabilities?.bounding).toContain("CAP_SYS_CHROOT");
  expect(capabilities?.effective).toEqual(capabilities!.bounding!);
  expect(capabilities?.permitted).toEqual(capabilities!.bounding!);
  expect(capabilities).not.toHaveProperty("ambient");
  expect(capabilities).not.toHaveProperty("inheritable");
});

test("numbers beyond 2^53 are read: exactly where it matters", () => {
  expect(read("docker-1.12.6.json").linux.resources?.memory?.swappiness).toBe(2 ** 64);
  const text = `{"ociVersion":"1.0.0","root":{"path":"/"},"process":{"args":["a"],"cwd":"/","rlimits":
    [{"type":"RLIMIT_CORE","soft":9007199254740993,"hard":18446744073709551615}]},"linux":{"seccomp":{"defaultAction":
    "SCMP_ACT_ALLOW","syscalls":[{"names":["openat"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,
    "value":18446744073709551516,"op":"SCMP_CMP_EQ"}]}]}}}`;
  const config = readConfig(parseJson(text, "test"));
  expect(config.process.rlimits).toEqual([
    { type: "RLIMIT_CORE", hard: "18446744073709551615", soft: "9007199254740993" },
  ]);
  expect(BigInt(config.linux.seccomp!.syscalls[0]!.args[0]!.value)).toBe(0xffff_ffff_ffff_ff9cn);
  expect(JSON.parse(JSON.stringify(config))).toEqual(config);
});

test("unknown fields are ignored, null is as good as absent, an empty string too where a string is optional", () => {
  const config = readConfig({
    ociVersion: "1.0.2",
    platform: { os: "linux" },
    process: { args: ["a"], cwd: "/", env: null, rlimits: null, apparmorProfile: "", future: [1] },
    root: { path: "/", readonly: null },
    hostname: "",
    linux: { rootfsPropagation: "", namespaces: [{ type: "pid", path: "" }], netDevices: {}, cgroupsPath: null },
    annotations: { a: null, b: "" },
  });
  expect(config.linux.namespaces).toEqual([{ type: "pid" }]);
  expect(config.annotations).toEqual({ b: "" });
  for (const absent of ["platform", "hostname", "domainname"]) expect(config).not.toHaveProperty(absent);
  expect(config.process).not.toHaveProperty("apparmorProfile");
});

test("names of a prototype are names like any other", () => {
  const document = parseJson(
    '{"ociVersion":"1.0.0","root":{"path":"/"},"process":{"args":["a"],"cwd":"/"},"annotations":{"__proto__":"x","constructor":"y","toString":"z"}}',
    "test",
  );
  const { annotations } = readConfig(document);
  expect(Object.entries(annotations)).toEqual([
    ["constructor", "y"],
    ["toString", "z"],
  ]);
  expect(() => readConfig(Object.create({ ociVersion: "1.0.0" }))).toThrow("ociVersion: is required");
});

test("2^64-1 is -1 where that is unlimited: specifications before 1.0 had these limits unsigned", () => {
  const all = "18446744073709551615";
  const read = (text: string) => readDocument(resources, parseJson(text, "test"));
  const memory = ["limit", "reservation", "swap", "kernel", "kernelTCP"];
  const {
    memory: limits,
    cpu,
    pids,
  } = read(
    `{"memory":{${memory.map((name) => `"${name}":${all}`).join()}},"cpu":{"quota":${all},"realtimeRuntime":${all}},"pids":{"limit":${all}}}`,
  );
  expect(limits).toEqual(Object.fromEntries(memory.map((name) => [name, -1])));
  expect(cpu).toEqual({ quota: -1, realtimeRuntime: -1 });
  expect(pids).toEqual({ limit: -1 });
  expect(() => read('{"memory":{"swap":18446744073709551614}}')).toThrow("memory.swap: must be between");
  expect(() => read(`{"cpu":{"idle":${all}}}`)).toThrow("cpu.idle: must be between");
});

test("a pids.limit of 0 is a limit since specification 1.3, and none before", () => {
  const limitIn = (ociVersion: string, limit: number) =>
    readConfig({
      ociVersion,
      process: { args: ["sh"], cwd: "/" },
      root: { path: "rootfs" },
      linux: { resources: { pids: { limit } } },
    }).linux.resources?.pids?.limit;
  expect(["1.3.0", "1.10.0-rc.1"].map((version) => limitIn(version, 0))).toEqual([1, 1]);
  expect(["0.6.0-dev", "1.0.2-dev", "1.2.1"].map((version) => limitIn(version, 0))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect([limitIn("1.3.0", -1), limitIn("1.0.0", -1), limitIn("1.3.0", 5)]).toEqual([-1, -1, 5]);
});

test("a mount's destination that is relative is below the root", () => {
  const { mounts } = readConfig({
    ociVersion: "1.3.0",
    process: { args: ["sh"], cwd: "/" },
    root: { path: "rootfs" },
    mounts: [{ destination: "tmp/a", type: "tmpfs" }],
  });
  expect(mounts[0]?.destination).toBe("/tmp/a");
});
