/** The config.json that `spec` writes for a new bundle: the same as runc 1.1 writes. */
import { specVersion } from "../base/version";

export interface SpecOptions {
  /** For a user without privileges, who becomes root inside: the id of that user and group. */
  rootless?: { uid: number; gid: number };
  /** Whether the host's cgroups are version 2 alone; runc gives a container its cgroup namespace then. */
  cgroup2?: boolean;
}

/** The default config.json, indented with tabs and without a newline at its end. */
export function formatDefaultConfig({ rootless, cgroup2 = false }: SpecOptions = {}): string {
  return JSON.stringify(
    rootless === undefined ? privileged(cgroup2) : withoutPrivileges(cgroup2, rootless),
    undefined,
    "\t",
  );
}

const capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

const mounts = [
  { destination: "/proc", type: "proc", source: "proc" },
  mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
  mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
  mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
  mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
  mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
  mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
];

const maskedPaths = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/sys/firmware",
  "/proc/scsi",
];

const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

interface MountEntry {
  destination: string;
  type: string;
  source: string;
  options?: string[];
}

function mount(destination: string, type: string, source: string, ...options: string[]): MountEntry {
  return { destination, type, source, options };
}

function privileged(cgroup2: boolean) {
  const linux = {
    resources: { devices: [{ allow: false, access: "rwm" }] },
    namespaces: namespaces(["pid", "network", "ipc", "uts", "mount"], cgroup2),
    maskedPaths,
    readonlyPaths,
  };
  return document(mounts, linux);
}

/** No network namespace, a user namespace, and only mounts that such a user may make. */
function withoutPrivileges(cgroup2: boolean, { uid, gid }: { uid: number; gid: number }) {
  const linux = {
    uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
    gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
    namespaces: [...namespaces(["pid", "ipc", "uts", "mount"], cgroup2), { type: "user" }],
    maskedPaths,
    readonlyPaths,
  };
  return document(mounts.map(forUser), linux);
}

function forUser(entry: MountEntry): MountEntry {
  if (entry.destination === "/sys") return mount("/sys", "none", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro");
  const { options, ...rest } = entry;
  return options === undefined ? entry : { ...rest, options: options.filter((option) => !/^[ug]id=/.test(option)) };
}

function namespaces(types: string[], cgroup2: boolean) {
  return [...types, ...(cgroup2 ? ["cgroup"] : [])].map((type) => ({ type }));
}

function document(mounts: MountEntry[], linux: object) {
  return {
    ociVersion: specVersion,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
      },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "runv",
    mounts,
    linux,
  };
}
