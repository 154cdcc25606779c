/** Wrong configurations, and the one message that each is refused with. */
import { expect, test } from "bun:test";
import { RunvError } from "../base/error";
import { readConfig } from "./config";

type Json = Record<string, unknown>;

function valid(): Json {
  return {
    ociVersion: "1.2.0",
    process: { args: ["sh"], cwd: "/", user: { uid: 0, gid: 0 } },
    root: { path: "rootfs" },
    linux: { namespaces: [{ type: "mount" }, { type: "uts" }] },
  };
}

/** The valid configuration with one value put in at a path; undefined takes the field out. */
function withValue(path: string, value: unknown): Json {
  const document = valid();
  const steps = path.split("/");
  const last = steps.pop()!;
  let at = document;
  for (const step of steps) {
    if (at[step] === undefined) at[step] = {};
    at = at[step] as Json;
  }
  at[last] = value;
  return document;
}

const mount = (more: Json) => [{ destination: "/a", source: "/b", type: "bind", ...more }];
const rlimit = (more: Json) => [{ type: "RLIMIT_CORE", soft: 1, hard: 2, ...more }];
const rule = (more: Json) => ({
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["a"], action: "SCMP_ACT_ERRNO", ...more }],
});
const argument = (more: Json) => rule({ args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ", ...more }] });
const device = (more: Json) => [{ path: "/dev/a", type: "c", major: 1, minor: 2, ...more }];
const namespaces = (...types: unknown[]) => types.map((type) => ({ type }));

const wrong: [path: string, value: unknown, message: string][] = [
  ["ociVersion", undefined, "ociVersion: is required"],
  ["ociVersion", null, "ociVersion: is required"],
  ["ociVersion", 1, "ociVersion: expected a string, got a number"],
  ["ociVersion", "", 'ociVersion: "" is not a semantic version'],
  ["ociVersion", "1.0", 'ociVersion: "1.0" is not a semantic version'],
  ["ociVersion", "v1.0.0", 'ociVersion: "v1.0.0" is not a semantic version'],
  ["ociVersion", "2.0.0", 'ociVersion: unsupported version "2.0.0": must be 1.x'],

  ["process", undefined, "process: is required"],
  ["process", [], "process: expected an object, got an array"],
  ["process", "sh", "process: expected an object, got a string"],
  ["process/args", undefined, "process.args: is required"],
  ["process/args", "sh", "process.args: expected an array of strings, got a string"],
  ["process/args", { 0: "sh" }, "process.args: expected an array of strings, got an object"],
  ["process/args", [], "process.args: must not be empty"],
  ["process/args", ["sh", 1], "process.args[1]: expected a string, got a number"],
  ["process/args", ["sh", null], "process.args[1]: expected a string, got null"],
  ["process/args", ["a\0b"], "process.args[0]: must not contain a null byte"],
  ["process/cwd", undefined, "process.cwd: is required"],
  ["process/cwd", "", "process.cwd: must be an absolute path"],
  ["process/cwd", "home", "process.cwd: must be an absolute path"],
  ["process/terminal", "true", "process.terminal: expected a boolean, got a string"],
  ["process/terminal", "", "process.terminal: expected a boolean, got a string"],
  ["process/consoleSize", { height: 24 }, "process.consoleSize.width: is required"],
  ["process/consoleSize", { height: 24, width: -1 }, "process.consoleSize.width: must be between 0 and 65535, got -1"],
  ["process/env", ["A=b", "PATH"], "process.env[1]: invalid environment variable: missing '='"],
  ["process/env", ["=b"], "process.env[0]: invalid environment variable: name cannot be empty"],
  ["process/env", { PATH: "/bin" }, "process.env: expected an array of strings, got an object"],
  ["process/user", 0, "process.user: expected an object, got a number"],
  ["process/user/uid", -1, "process.user.uid: must be between 0 and 4294967295, got -1"],
  ["process/user/uid", 2 ** 32, "process.user.uid: must be between 0 and 4294967295, got 4294967296"],
  ["process/user/gid", 1.5, "process.user.gid: expected an integer, got 1.5"],
  ["process/user/gid", "wheel", "process.user.gid: expected an integer, got a string"],
  ["process/user/umask", 0o10000, "process.user.umask: must be between 0 and 4095, got 4096"],
  ["process/user/additionalGids", 5, "process.user.additionalGids: expected an array of integers, got a number"],
  ["process/user/additionalGids", [0, "5"], "process.user.additionalGids[1]: expected an integer, got a string"],
  ["process/capabilities", { bounding: [5] }, "process.capabilities.bounding[0]: expected a string, got a number"],
  ["process/capabilities", "ALL", "process.capabilities: expected an object, got a string"],
  ["process/rlimits", rlimit({ type: "RLIMIT_FOO" }), 'process.rlimits[0].type: unknown resource limit "RLIMIT_FOO"'],
  ["process/rlimits", rlimit({ soft: 3 }), "process.rlimits[0]: soft limit 3 is above the hard limit 2"],
  [
    "process/rlimits",
    rlimit({ hard: -1 }),
    "process.rlimits[0].hard: must be between 0 and 18446744073709551615, got -1",
  ],
  ["process/rlimits", rlimit({ hard: "unlimited" }), "process.rlimits[0].hard: expected an integer, got a string"],
  ["process/rlimits", [...rlimit({}), ...rlimit({})], "process.rlimits: RLIMIT_CORE is set twice"],
  ["process/oomScoreAdj", 1001, "process.oomScoreAdj: must be between -1000 and 1000, got 1001"],
  ["process/noNewPrivileges", 1, "process.noNewPrivileges: expected a boolean, got a number"],
  ["process/apparmorProfile", {}, "process.apparmorProfile: expected a string, got an object"],
  ["process/scheduler", {}, "process.scheduler.policy: is required"],
  [
    "process/scheduler",
    { policy: "SCHED_NORMAL" },
    'process.scheduler.policy: unknown scheduling policy "SCHED_NORMAL"',
  ],
  [
    "process/scheduler",
    { policy: "SCHED_OTHER", nice: 20 },
    "process.scheduler: nice must be between -20 and 19, got 20",
  ],
  [
    "process/scheduler",
    { policy: "SCHED_OTHER", priority: 1 },
    "process.scheduler: priority can only be set with SCHED_FIFO or SCHED_RR",
  ],
  [
    "process/scheduler",
    { policy: "SCHED_FIFO", runtime: 1 },
    "process.scheduler: runtime, deadline and period can only be set with SCHED_DEADLINE",
  ],
  [
    "process/scheduler",
    { policy: "SCHED_FIFO", flags: ["X"] },
    'process.scheduler.flags[0]: unknown scheduling flag "X"',
  ],
  ["process/ioPriority", { class: "RT", priority: 1 }, 'process.ioPriority.class: unknown I/O priority class "RT"'],
  [
    "process/ioPriority",
    { class: "IOPRIO_CLASS_BE", priority: 8 },
    "process.ioPriority.priority: must be between 0 and 7, got 8",
  ],
  ["process/execCPUAffinity", { initial: "a" }, 'process.execCPUAffinity.initial: must be a list such as "0-3,7"'],

  ["root", undefined, "root: is required"],
  ["root/path", undefined, "root.path: is required"],
  ["root/path", "", "root.path: must not be empty"],
  ["root/path", ["rootfs"], "root.path: expected a string, got an array"],
  ["root/readonly", "yes", "root.readonly: expected a boolean, got a string"],
  ["hostname", 5, "hostname: expected a string, got a number"],
  ["annotations", ["a"], "annotations: expected an object, got an array"],
  ["annotations", { "a.b/c": 1 }, 'annotations["a.b/c"]: expected a string, got a number'],

  ["mounts", {}, "mounts: expected an array of objects, got an object"],
  ["mounts", [null], "mounts[0]: expected an object, got null"],
  ["mounts", [{ source: "/b" }], "mounts[0].destination: is required"],
  ["mounts", [...mount({}), ...mount({ destination: "" })], "mounts[1].destination: must be an absolute path"],
  ["mounts", mount({ source: undefined }), "mounts[0]: a bind mount needs a source"],
  ["mounts", mount({ options: "ro,bind" }), "mounts[0].options: expected an array of strings, got a string"],
  ["mounts", mount({ options: ["ro", 1] }), "mounts[0].options[1]: expected a string, got a number"],
  [
    "mounts",
    mount({ uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] }),
    "mounts[0]: an id-mapped mount needs both uidMappings and gidMappings",
  ],

  ["hooks", [], "hooks: expected an object, got an array"],
  ["hooks/prestart", [{}], "hooks.prestart[0].path: is required"],
  ["hooks/poststop", [{ path: "sh" }], "hooks.poststop[0].path: must be an absolute path"],
  [
    "hooks/poststart",
    [{ path: "/a", timeout: 0 }],
    "hooks.poststart[0].timeout: must be between 1 and 2147483647, got 0",
  ],
  [
    "hooks/startContainer",
    [{ path: "/a", args: "x" }],
    "hooks.startContainer[0].args: expected an array of strings, got a string",
  ],

  ["linux", [], "linux: expected an object, got an array"],
  ["linux/namespaces", [{}], "linux.namespaces[0].type: is required"],
  ["linux/namespaces", namespaces("pid", "foo"), 'linux.namespaces[1].type: unknown namespace "foo"'],
  ["linux/namespaces", namespaces("pid", "net"), 'linux.namespaces[1].type: unknown namespace "net"'],
  ["linux/namespaces", namespaces("pid", "ipc", "pid"), 'linux.namespaces[2].type: duplicate namespace "pid"'],
  ["linux/namespaces", [{ type: "ipc", path: "ns/ipc" }], "linux.namespaces[0].path: must be an absolute path"],
  [
    "linux/namespaces",
    namespaces("user"),
    "linux.namespaces: user namespaces enabled, but no namespace path to join nor mappings to apply specified",
  ],
  [
    "linux/uidMappings",
    [{ containerID: 0, hostID: 0, size: 1 }],
    "linux.uidMappings: user namespace mappings specified, but user namespace isn't enabled in the config",
  ],
  [
    "linux/gidMappings",
    [{ containerID: 0, hostID: 0, size: 0 }],
    "linux.gidMappings[0].size: must be between 1 and 4294967295, got 0",
  ],
  [
    "linux/uidMappings",
    [{ containerID: 0, hostID: 4294967295, size: 2 }],
    "linux.uidMappings[0]: reaches beyond the last id",
  ],
  [
    "linux/timeOffsets",
    { monotonic: { secs: 1 } },
    "linux.timeOffsets: time namespace offsets specified, but time namespace isn't enabled in the config",
  ],
  [
    "linux/timeOffsets",
    { realtime: { secs: 1 } },
    'linux.timeOffsets: "realtime" is no clock that a time namespace has',
  ],
  [
    "linux/timeOffsets",
    { boottime: { nanosecs: 1e9 } },
    "linux.timeOffsets.boottime.nanosecs: must be between 0 and 999999999, got 1000000000",
  ],
  ["linux/devices", device({ path: "a" }), "linux.devices[0].path: must be an absolute path"],
  ["linux/devices", device({ type: "a" }), 'linux.devices[0].type: unknown device type "a"'],
  ["linux/devices", device({ minor: undefined }), 'linux.devices[0]: a device of type "c" needs major and minor'],
  ["linux/devices", device({ major: 4096 }), "linux.devices[0].major: must be between 0 and 4095, got 4096"],
  ["linux/devices", device({ fileMode: "0666" }), "linux.devices[0].fileMode: expected an integer, got a string"],
  ["linux/netDevices", { eth0: {} }, "linux.netDevices: unable to move network devices without a NET namespace"],
  ["linux/netDevices", { "a/b": {} }, 'linux.netDevices: invalid network device name "a/b"'],
  ["linux/netDevices", { eth0: { name: ".." } }, 'linux.netDevices.eth0.name: invalid network device name ".."'],
  ["linux/cgroupsPath", 7, "linux.cgroupsPath: expected a string, got a number"],
  ["linux/rootfsPropagation", "everywhere", 'linux.rootfsPropagation: unknown propagation "everywhere"'],
  ["linux/maskedPaths", ["/proc/kcore", "x"], "linux.maskedPaths[1]: must be an absolute path"],
  ["linux/readonlyPaths", "/proc", "linux.readonlyPaths: expected an array of strings, got a string"],
  ["linux/personality", { domain: "BSD" }, 'linux.personality.domain: unknown personality domain "BSD"'],
  ["linux/memoryPolicy", { mode: "BIND" }, 'linux.memoryPolicy.mode: invalid memory policy mode "BIND"'],
  ["linux/memoryPolicy", { mode: "MPOL_BIND", nodes: "x" }, 'linux.memoryPolicy.nodes: must be a list such as "0-3,7"'],
  [
    "linux/memoryPolicy",
    { mode: "MPOL_BIND", flags: ["MPOL_F_X"] },
    'linux.memoryPolicy.flags[0]: invalid memory policy flag "MPOL_F_X"',
  ],
  ["linux/memoryPolicy", {}, 'linux.memoryPolicy.mode: invalid memory policy mode ""'],
  [
    "linux/memoryPolicy",
    { mode: "MPOL_BIND", nodes: "0-9876543210" },
    'linux.memoryPolicy.nodes: invalid memory policy nodes "0-9876543210": there are 1024',
  ],
  [
    "linux/memoryPolicy",
    { mode: "MPOL_DEFAULT", nodes: "0-7" },
    "linux.memoryPolicy: memory policy mode requires 0 nodes but got 8",
  ],
  [
    "linux/memoryPolicy",
    { mode: "MPOL_BIND" },
    "linux.memoryPolicy: memory policy mode requires at least one node but got 0",
  ],
  ["linux/intelRdt", { closID: "a/b" }, "linux.intelRdt.closID: must be a plain name"],
  ["linux/intelRdt", { schemata: ["L3:0=f\nMB:0=1"] }, "linux.intelRdt.schemata[0]: must not contain a newline"],

  [
    "linux/sysctl",
    { "net.ipv4.ip_forward": 1 },
    'linux.sysctl["net.ipv4.ip_forward"]: expected a string, got a number',
  ],
  [
    "linux/sysctl",
    { "net.ipv4.ip_forward": "1" },
    'linux.sysctl["net.ipv4.ip_forward"]: sysctl "net.ipv4.ip_forward" not allowed in host network namespace',
  ],
  [
    "linux/sysctl",
    { "kernel.msgmax": "1" },
    'linux.sysctl["kernel.msgmax"]: sysctl "kernel.msgmax" is not allowed in the hosts ipc namespace',
  ],
  [
    "linux/sysctl",
    { "kernel.hostname": "x" },
    'linux.sysctl["kernel.hostname"]: sysctl "kernel.hostname" is not allowed as it conflicts with the OCI "hostname" field',
  ],
  [
    "linux/sysctl",
    { "user.max_user_namespaces": "x" },
    'linux.sysctl["user.max_user_namespaces"]: setting ucounts without a user namespace not allowed',
  ],
  [
    "linux/sysctl",
    { "vm.swappiness": "x" },
    'linux.sysctl["vm.swappiness"]: sysctl "vm.swappiness" is not in a separate kernel namespace',
  ],
  [
    "linux/sysctl",
    { "net/../kernel/core_pattern": "x" },
    'linux.sysctl["net/../kernel/core_pattern"]: sysctl "net.//.kernel.core_pattern" is not a valid name',
  ],

  ["linux/resources/devices", [{ access: "r" }], "linux.resources.devices[0].allow: is required"],
  [
    "linux/resources/devices",
    [{ allow: true, access: "rx" }],
    "linux.resources.devices[0].access: must be made of the letters r, w and m",
  ],
  ["linux/resources/devices", [{ allow: true, type: "p" }], 'linux.resources.devices[0].type: unknown device type "p"'],
  ["linux/resources/memory", { limit: "64M" }, "linux.resources.memory.limit: expected an integer, got a string"],
  [
    "linux/resources/memory",
    { limit: 1e30 },
    "linux.resources.memory.limit: must be between -9223372036854775808 and 9223372036854775807, got 1e+30",
  ],
  ["linux/resources/cpu", { cpus: "0-" }, 'linux.resources.cpu.cpus: must be a list such as "0-3,7"'],
  [
    "linux/resources/cpu",
    { shares: -1 },
    "linux.resources.cpu.shares: must be between 0 and 18446744073709551615, got -1",
  ],
  ["linux/resources/pids", 20, "linux.resources.pids: expected an object, got a number"],
  [
    "linux/resources/blockIO",
    { throttleReadBpsDevice: [{ major: 8, minor: 0 }] },
    "linux.resources.blockIO.throttleReadBpsDevice[0].rate: is required",
  ],
  [
    "linux/resources/blockIO",
    { weight: 65536 },
    "linux.resources.blockIO.weight: must be between 0 and 65535, got 65536",
  ],
  [
    "linux/resources/hugepageLimits",
    [{ pageSize: "../x", limit: 1 }],
    'linux.resources.hugepageLimits[0].pageSize: must be a size such as "2MB"',
  ],
  [
    "linux/resources/unified",
    { "../memory.max": "1" },
    'linux.resources.unified: "../memory.max" is not the name of a cgroup v2 file',
  ],
  [
    "linux/resources/unified",
    { "memory.max": 1 },
    'linux.resources.unified["memory.max"]: expected a string, got a number',
  ],

  ["linux/seccomp", {}, "linux.seccomp.defaultAction: is required"],
  ["linux/seccomp", { defaultAction: "DENY" }, 'linux.seccomp.defaultAction: unknown seccomp action "DENY"'],
  [
    "linux/seccomp",
    rule({ action: "SCMP_ACT_X" }),
    'linux.seccomp.syscalls[0].action: unknown seccomp action "SCMP_ACT_X"',
  ],
  ["linux/seccomp", rule({ names: [] }), "linux.seccomp.syscalls[0].names: must not be empty"],
  [
    "linux/seccomp",
    rule({ action: "SCMP_ACT_KILL", errnoRet: 1 }),
    "linux.seccomp.syscalls[0]: errnoRet has no meaning for SCMP_ACT_KILL",
  ],
  ["linux/seccomp", argument({ index: 6 }), "linux.seccomp.syscalls[0].args[0].index: must be between 0 and 5, got 6"],
  ["linux/seccomp", argument({ op: "==" }), 'linux.seccomp.syscalls[0].args[0].op: unknown seccomp operator "=="'],
  [
    "linux/seccomp",
    argument({ value: "1" }),
    "linux.seccomp.syscalls[0].args[0].value: expected an integer, got a string",
  ],
  [
    "linux/seccomp",
    { defaultAction: "SCMP_ACT_ALLOW", architectures: ["x86_64"] },
    'linux.seccomp.architectures[0]: unknown seccomp architecture "x86_64"',
  ],
  [
    "linux/seccomp",
    { defaultAction: "SCMP_ACT_ALLOW", flags: ["NEW_LISTENER"] },
    'linux.seccomp.flags[0]: unknown seccomp flag "NEW_LISTENER"',
  ],
];

function refusal(document: unknown): RunvError {
  try {
    readConfig(document);
  } catch (error) {
    if (error instanceof RunvError) return error;
    throw error;
  }
  throw new Error("was accepted");
}

test("there are enough wrong configurations", () => expect(wrong.length).toBeGreaterThanOrEqual(80));
test("what they are made from is right", () => expect(readConfig(valid()).root.path).toBe("rootfs"));

for (const [path, value, message] of wrong) {
  test(message, () => {
    const { code, message: says } = refusal(withValue(path, value));
    expect(says).toBe(message);
    expect(code).toBe("CONFIG_INVALID");
  });
}

const withoutNamespaces: [path: string, value: unknown, message: string][] = [
  ["hostname", "a", "hostname: unable to set hostname without a private UTS namespace"],
  ["domainname", "a", "domainname: unable to set domainname without a private UTS namespace"],
  [
    "linux/maskedPaths",
    ["/proc/a"],
    "linux.maskedPaths: unable to restrict sys entries without a private MNT namespace",
  ],
  [
    "linux/readonlyPaths",
    ["/proc/a"],
    "linux.readonlyPaths: unable to restrict sys entries without a private MNT namespace",
  ],
];
for (const [path, value, message] of withoutNamespaces) {
  test(message, () => {
    const document = withValue(path, value);
    (document.linux as Json).namespaces = [];
    expect(refusal(document).message).toBe(message);
  });
}

test("documents that are no objects", () => {
  for (const document of [null, [], "x", 1, true, undefined]) {
    expect(refusal(document).message).toMatch(/^expected an object, got /);
  }
});

test("a message stays on one line, short and without control characters", () => {
  const { message } = refusal(withValue("linux/namespaces", namespaces(`\x1b[2J\n\u202e${"x".repeat(1000)}`)));
  expect(message).toMatch(/^linux\.namespaces\[0\]\.type: unknown namespace "\\x1b\[2J\\n\\u202ex+…"$/);
  expect(message.length).toBeLessThan(160);
});
