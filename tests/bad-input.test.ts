/** Wrong configurations and command lines: each is refused with words that name what is wrong, quickly, and leaves nothing. */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./support/bundle";
import { sharedRig } from "./support/shared";

let good = "";
const runvTest = sharedRig(async (rig) => {
  good = await rig.bundle();
});

/** What every refusal has: a code, words, and no trace of the inside. */
function expectRefusal({ code, stderr }: { code: number; stderr: string }, says: string | RegExp): void {
  expect(code).not.toBe(0);
  if (typeof says === "string") expect(stderr).toContain(says);
  else expect(stderr).toMatch(says);
  expect(stderr).not.toMatch(/\bat .*:\d+:\d+|UNEXPECTED|undefined|\[object|\$bunfs/);
  // Docker would take these for a missing command.
  expect(stderr).not.toMatch(/no such file or directory|permission denied|executable file not found/i);
  expect(stderr.split("\n").length).toBeLessThan(6);
}

const id = "bad";
/** A command line, and what is said of it. */
const lines: [args: string[], says: string | RegExp][] = [
  [["nonsense"], "No help topic for 'nonsense'"],
  [["--nonsense", "list"], "-nonsense"],
  [["--root"], "-root"],
  [["--debug=maybe", "list"], "-debug"],
  [["--log-format", "xml", "list"], "xml"],
  [["--log", "/nowhere/log", "list"], "/nowhere/log"],
  [["--default_cpus", "0", "list"], "--default_cpus"],
  [["--default_memory", "-5", "list"], "--default_memory"],
  [["--default_memory", "much", "list"], "-default_memory"],
  [["---root", "x", "list"], "---root"],
  [["create"], "create"],
  [["create", "a", "b"], "create"],
  [["create", ""], "container id"],
  [["create", "a/b"], "container ID"],
  [["create", ".."], "container ID"],
  [["create", ".hidden"], "container ID"],
  [["create", "-b", "/nowhere", id], "/nowhere"],
  [["create", "-b", "/etc/passwd", id], "/etc/passwd"],
  [["create", "--nonsense", id], "-nonsense"],
  [["create", "--preserve-fds", "x", id], "-preserve-fds"],
  [["create", "--pid-file"], "-pid-file"],
  [["create", "-b", "GOOD", "--console-socket", "/x", id], "console socket"],
  [["--kernel", "/nowhere/kernel", "create", "-b", "GOOD", id], "/nowhere/kernel"],
  [["--initrd", "/nowhere/initrd", "create", "-b", "GOOD", id], "/nowhere/initrd"],
  [["--initrd", "/etc/passwd", "create", "-b", "GOOD", id], "/etc/passwd"],
  [["--driver", "bochs", "create", "-b", "GOOD", id], "bochs"],
  [["--root", "/etc/passwd", "create", "-b", "GOOD", id], "/etc/passwd"],
  [["run", "-d=perhaps", "-b", "GOOD", id], "-d"],
  [["start"], "start"],
  [["start", id], "container does not exist"],
  [["state"], "state"],
  [["state", id], "container does not exist"],
  [["state", id, "more"], "state"],
  [["kill"], "kill"],
  [["kill", id, "NONSENSE"], "NONSENSE"],
  [["kill", id, "65"], "65"],
  [["kill", id, "RTMIN+99"], "RTMIN+99"],
  [["kill", id, "9"], "container does not exist"],
  [["delete"], "delete"],
  [["delete", id], "container does not exist"],
  [["delete", "--nonsense", id], "-nonsense"],
  [["list", "more"], "list"],
  [["list", "--format", "xml"], "format"],
  [["--root", "/nowhere/at/all", "list"], "open /nowhere/at/all: does not exist"],
  [["ps", id], "container does not exist"],
  [["ps", "--format", "xml", id], "format"],
  [["pause", id], "container does not exist"],
  [["resume", id], "container does not exist"],
  [["exec", id], /container does not exist|process args/],
  [["exec"], "exec"],
  [["exec", "--user", "root", id, "true"], "--user"],
  [["exec", "--user", "0:x", id, "true"], "--user"],
  [["exec", "--additional-gids", "x", id, "true"], "-additional-gids"],
  [["exec", "--cwd"], "-cwd"],
  [["console", id], "container does not exist"],
  [["spec", "--bundle", "/nowhere"], "/nowhere"],
];

type Change = (config: Config & Record<string, unknown>) => void;
const process =
  (fields: object): Change =>
  (config) =>
    Object.assign(config.process, fields);
const linux =
  (fields: object): Change =>
  (config) =>
    Object.assign(config.linux, fields);
const mount =
  (fields: object): Change =>
  (config) => {
    config.mounts.push({ destination: "/mnt", ...fields } as Config["mounts"][number]);
  };
/** A change of a good configuration, and the field that is named. */
const changes: [name: string, change: Change, says: string | RegExp][] = [
  ["no version", (config) => delete config.ociVersion, "ociVersion"],
  ["a version of the future", (config) => (config.ociVersion = "9.0.0"), "ociVersion"],
  ["no root", (config) => Reflect.deleteProperty(config, "root"), "root"],
  ["a root that is missing", (config) => (config.root.path = "nowhere"), "root.path"],
  ["a root that is a file", (config) => (config.root.path = "config.json"), "root.path"],
  ["no arguments", process({ args: [] }), "process.args"],
  ["arguments that are no strings", process({ args: [1] }), "process.args[0]"],
  ["a relative directory", process({ cwd: "tmp" }), "process.cwd"],
  ["no directory", process({ cwd: undefined }), "process.cwd"],
  ["an environment without a value", process({ env: ["WORD"] }), "process.env[0]"],
  ["a user that is a name", process({ user: { uid: "root", gid: 0 } }), "process.user.uid"],
  ["a user below zero", process({ user: { uid: -1, gid: 0 } }), "process.user.uid"],
  ["a umask that is too large", process({ user: { uid: 0, gid: 0, umask: 65536 } }), "process.user.umask"],
  [
    "capabilities that are no list",
    process({ capabilities: { bounding: "CAP_KILL" } }),
    "process.capabilities.bounding",
  ],
  ["an unknown limit", process({ rlimits: [{ type: "RLIMIT_X", soft: 1, hard: 1 }] }), "process.rlimits[0]"],
  [
    "a soft limit above the hard",
    process({ rlimits: [{ type: "RLIMIT_NOFILE", soft: 2, hard: 1 }] }),
    "process.rlimits[0]",
  ],
  ["a score out of range", process({ oomScoreAdj: 5000 }), "process.oomScoreAdj"],
  ["a terminal without a socket", process({ terminal: true }), "console socket"],
  ["mounts that are no list", (config) => Object.assign(config, { mounts: {} }), "mounts"],
  ["a mount without a destination", mount({ destination: undefined }), "mounts[7].destination"],
  ["a bind without a source", mount({ type: "bind" }), "mounts[7]"],
  ["a bind of nothing", mount({ type: "bind", source: "/nowhere/at/all", options: ["bind"] }), "mounts[7].source"],
  ["an unknown namespace", linux({ namespaces: [{ type: "nonsense" }] }), "linux.namespaces[0].type"],
  ["a namespace twice", linux({ namespaces: [{ type: "pid" }, { type: "pid" }] }), "linux.namespaces"],
  ["a user namespace without a mapping", (config) => config.linux.namespaces.push({ type: "user" }), "user"],
  ["a sysctl with blanks", linux({ sysctl: { "net.x y": "1" } }), "sysctl net.x y"],
  ["a sysctl of the host", linux({ sysctl: { "vm.swappiness": "1" } }), "vm.swappiness"],
  ["a memory limit that is text", linux({ resources: { memory: { limit: "1g" } } }), "linux.resources.memory.limit"],
  ["a masked path that is relative", linux({ maskedPaths: ["proc"] }), "linux.maskedPaths[0]"],
  ["an unknown propagation", linux({ rootfsPropagation: "sideways" }), "linux.rootfsPropagation"],
  ["an unknown seccomp action", linux({ seccomp: { defaultAction: "X" } }), "linux.seccomp.defaultAction"],
  ["a seccomp supervisor", linux({ seccomp: { defaultAction: "SCMP_ACT_NOTIFY" } }), "linux.seccomp.defaultAction"],
  [
    "a device of an unknown type",
    linux({ devices: [{ path: "/dev/x", type: "z", major: 1, minor: 1 }] }),
    "linux.devices[0].type",
  ],
  ["a cgroup that is a number", linux({ cgroupsPath: 5 }), "linux.cgroupsPath"],
  ["a hook without a path", (config) => Object.assign(config, { hooks: { prestart: [{}] } }), "hooks.prestart[0].path"],
  [
    "a hook with a relative path",
    (config) => Object.assign(config, { hooks: { poststop: [{ path: "x" }] } }),
    "hooks.poststop[0].path",
  ],
];

describe("command lines", () => {
  for (const [args, says] of lines) {
    runvTest(args.join(" "), async ({ runv }) => {
      expectRefusal(await runv(args.map((word) => (word === "GOOD" ? good : word))), says);
    });
  }
});

describe("configurations", () => {
  for (const [name, change, says] of changes) {
    runvTest(name, async ({ runv, bundle }) => {
      const path = await bundle({ change: (config) => void change(config as Config & Record<string, unknown>) });
      expectRefusal(await runv(["create", "-b", path, id]), says);
    });
  }

  const texts: [name: string, text: string, says: RegExp][] = [
    ["an empty file", "", /config\.json/],
    ["half a file", '{"ociVersion": "1.0.2", "process"', /config\.json.*line 1/],
    ["no object", "[]", /config\.json|object/],
    ["control characters", '{"ociVersion": "1.0.2\u001b[31m\\u0007"}', /config|ociVersion|control|string/i],
    ["no UTF-8", "\xff\xfe", /config\.json/],
  ];
  for (const [name, text, says] of texts) {
    runvTest(name, async ({ runv, bundle }) => {
      const path = await bundle();
      writeFileSync(join(path, "config.json"), text, "latin1");
      const result = await runv(["create", "-b", path, id]);
      expectRefusal(result, says);
      expect(result.stderr).not.toContain("\u001b");
    });
  }
});
