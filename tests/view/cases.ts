/** Configurations, each with something that shows inside: what `runv spec` writes, changed. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../support/bundle";

/** Directories of the host that cases bind. */
export interface Volumes {
  /** With a file in it, and a tmpfs mounted on its directory `inner`. */
  nested: string;
}

type Change = (config: Config, volumes: Volumes) => void;

const someone = { uid: 1000, gid: 1001 };
const all = (names: string[]) =>
  Object.fromEntries(["bounding", "effective", "permitted", "inheritable", "ambient"].map((set) => [set, names]));
const without =
  (...types: string[]): Change =>
  ({ linux }) => {
    linux.namespaces = linux.namespaces.filter(({ type }) => !types.includes(type));
  };
const mount =
  (destination: string, type: string, ...options: string[]): Change =>
  ({ mounts }) =>
    void mounts.push({ destination, type, source: type, options });
const bind =
  (from: (volumes: Volumes) => string, destination: string, ...options: string[]): Change =>
  ({ mounts }, volumes) =>
    void mounts.push({ destination, type: "bind", source: from(volumes), options });
const options =
  (destination: string, ...words: string[]): Change =>
  ({ mounts }) => {
    mounts.find((mount) => mount.destination === destination)!.options = words;
  };
const both =
  (...changes: Change[]): Change =>
  (config, volumes) => {
    for (const change of changes) change(config, volumes);
  };
const process =
  (fields: Record<string, unknown>): Change =>
  (config) =>
    void Object.assign(config.process, fields);
const linux =
  (fields: Record<string, unknown>): Change =>
  (config) =>
    void Object.assign(config.linux, fields);
const limits = (resources: Record<string, unknown>): Change =>
  linux({ resources: { devices: [{ allow: false, access: "rwm" }], ...resources } });
const writable: Change = ({ root }) => {
  root.readonly = false;
};
const nested = ({ nested }: Volumes) => nested;
const file = ({ nested }: Volumes) => join(nested, "file");

const oneMapping = [{ containerID: 0, hostID: 100000, size: 65536 }];
const twoMappings = [
  { containerID: 0, hostID: 100000, size: 1000 },
  { containerID: 1000, hostID: 300000, size: 10 },
];
const userNamespace = (uidMappings: unknown, gidMappings: unknown): Change =>
  both(writable, (config) => {
    config.linux.namespaces.push({ type: "user" });
    Object.assign(config.linux, { uidMappings, gidMappings });
    // The network, and so sysfs, is not the user namespace's.
    const sys = config.mounts.find(({ destination }) => destination === "/sys");
    Object.assign(sys!, { type: "none", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"] });
  });

export const cases: Record<string, Change> = {
  "as spec writes it": () => {},

  nobody: process({ user: { uid: 65534, gid: 65534 } }),
  "further groups": process({ user: { ...someone, additionalGids: [5, 42, 1001] } }),
  "a umask": process({ user: { ...someone, umask: 0o27 } }),
  "a umask of 0": process({ user: { uid: 0, gid: 0, umask: 0 } }),
  "a directory that is made": both(writable, process({ cwd: "/var/made/for it" })),
  "an environment with the same name twice": process({ env: ["PATH=/bin", "A=1", "A=2", "EMPTY=", "B=c d=e"] }),
  "HOME of its own": process({ env: ["PATH=/bin:/usr/bin", "HOME=/elsewhere"] }),

  "no capabilities": ({ process }) => void delete process.capabilities,
  "five different sets": process({
    capabilities: {
      bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SETUID"],
      permitted: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
      effective: ["CAP_CHOWN", "CAP_KILL"],
      inheritable: ["CAP_KILL", "CAP_NET_RAW"],
      ambient: ["CAP_KILL"],
    },
  }),
  "ambient capabilities of a user": process({ user: someone, capabilities: all(["CAP_KILL", "CAP_CHOWN"]) }),
  "a user with a bounding set": process({ user: someone, capabilities: { bounding: ["CAP_KILL", "CAP_SYS_ADMIN"] } }),
  "capabilities that nobody knows": process({ capabilities: all(["CAP_KILL", "CAP_FUTURE"]) }),

  "new privileges allowed": process({ noNewPrivileges: false }),
  "a seccomp filter": both(process({ noNewPrivileges: true }), linux({ seccomp: seccomp() })),
  "a seccomp filter of a user with new privileges": both(
    process({ noNewPrivileges: false, user: someone }),
    linux({ seccomp: seccomp() }),
  ),

  "many limits": process({
    rlimits: [
      ...["AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "RSS", "RTTIME", "STACK"].map((name, index) => ({
        type: `RLIMIT_${name}`,
        soft: (index + 1) << 26,
        hard: (index + 2) << 26,
      })),
      { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
      { type: "RLIMIT_MEMLOCK", soft: 4096, hard: 65536 },
      { type: "RLIMIT_MSGQUEUE", soft: 4096, hard: 8192 },
      { type: "RLIMIT_NICE", soft: 0, hard: 0 },
      { type: "RLIMIT_RTPRIO", soft: 0, hard: 0 },
    ],
  }),
  "limits of 0 and without end": process({
    rlimits: [
      { type: "RLIMIT_CORE", soft: 0, hard: 0 },
      { type: "RLIMIT_FSIZE", soft: 2 ** 40, hard: 2 ** 41 },
      { type: "RLIMIT_NPROC", soft: 77, hard: 88 },
      { type: "RLIMIT_SIGPENDING", soft: 55, hard: 66 },
    ],
  }),
  "the kernel's favourite victim": process({ oomScoreAdj: 1000 }),
  "a victim of rank": process({ oomScoreAdj: 321 }),
  "a scheduler": process({ scheduler: { policy: "SCHED_BATCH", nice: 7 } }),
  "an I/O priority": process({ ioPriority: { class: "IOPRIO_CLASS_BE", priority: 6 } }),
  "a personality": linux({ personality: { domain: "LINUX32" } }),

  "a host name": (config) => void Object.assign(config, { hostname: "a-name" }),
  "a domain name": (config) => void Object.assign(config, { domainname: "example.org" }),
  "no uts namespace": (config) => {
    without("uts")(config, { nested: "" });
    delete config.hostname;
  },
  "no ipc namespace": without("ipc"),
  "no pid namespace": without("pid"),
  "nothing but a mount namespace": (config) => {
    without("uts", "ipc", "pid")(config, { nested: "" });
    delete config.hostname;
  },
  "a cgroup namespace": ({ linux }) => void linux.namespaces.push({ type: "cgroup" }),
  "a user namespace": userNamespace(oneMapping, oneMapping),
  "a user namespace with several ranges": both(
    userNamespace(twoMappings, oneMapping),
    process({ user: { uid: 1003, gid: 5 } }),
  ),
  "a time namespace": ({ linux }) => {
    linux.namespaces.push({ type: "time" });
    linux.timeOffsets = { boottime: { secs: 1000 } };
  },

  "a root to write to": writable,
  "no /dev, no /sys": (config) => {
    config.mounts = config.mounts.filter(({ destination }) => !/^\/(dev|sys)/.test(destination));
    config.root.readonly = false;
  },
  "a read-only /proc": options("/proc", "ro", "nosuid", "noexec", "nodev"),
  "/proc that hides others": options("/proc", "hidepid=2"),
  "a read-only /dev": options("/dev", "ro", "nosuid", "mode=755", "size=1m"),
  "terminals of another group": options(
    "/dev/pts",
    "nosuid",
    "noexec",
    "newinstance",
    "ptmxmode=0600",
    "mode=0600",
    "gid=7",
  ),
  "a small /dev/shm": options("/dev/shm", "size=4k", "mode=1700", "nr_inodes=10"),
  "a tmpfs with its options": mount(
    "/run",
    "tmpfs",
    "nosuid",
    "nodev",
    "noexec",
    "mode=0710",
    "uid=5",
    "gid=6",
    "size=64k",
  ),
  "a tmpfs on a directory whose mode it takes": mount("/tmp", "tmpfs", "nodev"),
  "a tmpfs with the content of what it hides": mount("/etc", "tmpfs", "tmpcopyup", "size=1m"),
  "a read-only tmpfs": mount("/run", "tmpfs", "ro", "mode=755"),
  "times of access": both(
    mount("/a", "tmpfs", "noatime"),
    mount("/b", "tmpfs", "strictatime"),
    mount("/c", "tmpfs", "nodiratime", "relatime"),
    mount("/d", "tmpfs", "sync", "mode=700"),
    writable,
  ),
  "mounts in mounts, in their order": both(
    writable,
    mount("/m", "tmpfs", "mode=700"),
    mount("/m/n", "tmpfs", "mode=711"),
    bind(nested, "/m/n/o", "bind"),
    mount("/m/n/o/inner", "tmpfs", "mode=755"),
    mount("/m", "tmpfs", "mode=755"),
  ),
  "a target behind links": both(writable, mount("/by/link/here", "tmpfs", "mode=700"), ({ root }) => {
    mkdirSync(join(root.path, "by"));
    mkdirSync(join(root.path, "real"));
    symlinkSync("../../../real", join(root.path, "by/link"));
  }),

  "a file": bind(file, "/etc/group", "bind", "ro"),
  "a directory with flags": both(writable, bind(nested, "/v", "bind", "nosuid", "nodev", "noexec", "noatime")),
  "a read-only directory": both(writable, bind(nested, "/v", "bind", "ro")),
  "a directory with what is mounted in it": both(writable, bind(nested, "/v", "rbind")),
  "a read-only directory with what is mounted in it": both(writable, bind(nested, "/v", "rbind", "ro")),
  "a directory and all below it read-only": both(writable, bind(nested, "/v", "rbind", "rro")),
  "propagation of mounts": both(
    writable,
    bind(nested, "/shared", "rbind", "shared"),
    bind(nested, "/slave", "rbind", "rslave"),
    bind(nested, "/private", "rbind", "rprivate"),
    bind(nested, "/unbindable", "bind", "unbindable"),
  ),
  "a private root": linux({ rootfsPropagation: "private" }),
  "an unbindable root": linux({ rootfsPropagation: "unbindable" }),

  "masks of its own": both(
    writable,
    linux({ maskedPaths: ["/etc", "/bin/busybox.conf", "/proc/uptime", "/none"] }),
    ({ root }) => writeFileSync(join(root.path, "bin/busybox.conf"), "secret"),
  ),
  "read-only paths of its own": both(writable, linux({ readonlyPaths: ["/etc", "/tmp", "/none", "/proc/sys"] })),
  "no masks": linux({ maskedPaths: [], readonlyPaths: [] }),

  devices: linux({
    devices: [
      { path: "/dev/mine/null", type: "c", major: 1, minor: 3, fileMode: 0o640, uid: 7, gid: 8 },
      { path: "/dev/zero", type: "c", major: 1, minor: 5, fileMode: 0o600 },
      { path: "/dev/mem", type: "c", major: 1, minor: 1, fileMode: 0o666 },
      { path: "/dev/disk", type: "b", major: 7, minor: 9 },
      { path: "/dev/queue", type: "p", fileMode: 0o622 },
    ],
  }),
  "rules for devices": (config) => {
    config.linux.devices = [
      { path: "/dev/mem", type: "c", major: 1, minor: 1, fileMode: 0o666 },
      { path: "/dev/kmsg", type: "c", major: 1, minor: 11, fileMode: 0o666 },
    ];
    config.linux.resources = {
      devices: [
        { allow: false, access: "rwm" },
        { allow: true, type: "c", major: 1, minor: 11, access: "rw" },
      ],
    };
  },
  sysctls: (config) => {
    without("network")(config, { nested: "" });
    config.linux.namespaces.push({ type: "network" });
    config.linux.sysctl = {
      "kernel.msgmax": "4321",
      "kernel.shm_rmid_forced": "1",
      "fs.mqueue.msg_max": "20",
      "net.ipv4.ip_forward": "1",
      "net.ipv4.ping_group_range": "0 5",
    };
  },

  "limits of memory": limits({ memory: { limit: 64 << 20, reservation: 32 << 20 } }),
  "limits of processors": limits({ cpu: { shares: 512, quota: 25_000, period: 50_000, cpus: "0" } }),
  "a limit of processes": limits({ pids: { limit: 33 } }),
  "no limit": limits({ memory: { limit: -1 }, pids: { limit: -1 }, cpu: { quota: -1 } }),
  "cgroups to write to": options("/sys/fs/cgroup", "nosuid", "noexec", "nodev", "relatime"),

  "a terminal": process({ terminal: true }),
  "a terminal of a size": process({ terminal: true, consoleSize: { height: 33, width: 99 } }),
  "a terminal of a user": process({ terminal: true, user: someone }),
};

function seccomp() {
  return {
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: ["SCMP_ARCH_X86_64"],
    syscalls: [{ names: ["swapon", "getcpu"], action: "SCMP_ACT_ERRNO", errnoRet: 99 }],
  };
}
