/** What a probe told, made comparable: sections of lines, without what two kernels and two places on one host cannot have in common. */
import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import type { Config } from "../support/bundle";
import { cgroupFiles } from "./probe";

/** Lines by the section's name. */
export type View = ReadonlyMap<string, readonly string[]>;

/** Reads what the script said; script(1) may tell the terminal of its input's end. @param here whether the kernel that it ran on is this one */
export function readView(text: string, config: Config, here: boolean): View {
  const view = new Map<string, readonly string[]>();
  const [before = "", ...sections] = text.replaceAll(/\r|\^@|\0/g, "").split(/^== /m);
  if (before.trim() !== "") view.set("before", before.trim().split("\n"));
  for (const section of sections) {
    const [name = "", ...lines] = section.trimEnd().split("\n");
    view.set(name, (cleaners[name] ?? same)(lines, config, here));
  }
  return view;
}

type Cleaner = (lines: readonly string[], config: Config, here: boolean) => readonly string[];

const same: Cleaner = (lines) => lines;
const sorted = (lines: readonly string[]): string[] => [...lines].sort();

const cleaners: Record<string, Cleaner> = {
  limits,
  mounts,
  cgroup,
  namespaces,
  devices: sorted,
  opened: sorted,
};

/** What the configuration does not set is inherited, from the host or from the machine's first process. */
function limits(lines: readonly string[], { process }: Config): readonly string[] {
  const set = ((process.rlimits as { type: string }[] | undefined) ?? []).map(({ type }) => names[type] ?? type);
  return lines
    .filter((line) => set.some((name) => line.startsWith(`Max ${name} `)))
    .map((line) => line.replaceAll(/ +/g, " "));
}

/** As /proc/self/limits calls them. */
const names: Record<string, string> = {
  RLIMIT_AS: "address space",
  RLIMIT_CORE: "core file size",
  RLIMIT_CPU: "cpu time",
  RLIMIT_DATA: "data size",
  RLIMIT_FSIZE: "file size",
  RLIMIT_LOCKS: "file locks",
  RLIMIT_MEMLOCK: "locked memory",
  RLIMIT_MSGQUEUE: "msgqueue size",
  RLIMIT_NICE: "nice priority",
  RLIMIT_NOFILE: "open files",
  RLIMIT_NPROC: "processes",
  RLIMIT_RSS: "resident set",
  RLIMIT_RTPRIO: "realtime priority",
  RLIMIT_RTTIME: "realtime timeout",
  RLIMIT_SIGPENDING: "pending signals",
  RLIMIT_STACK: "stack size",
};

/** A namespace is the container's own, or the one that all have who have none. */
function namespaces(lines: readonly string[], _config: Config, here: boolean): readonly string[] {
  return lines.map((line) => {
    const [, type, link] = /^'\/proc\/self\/ns\/(\w+)' -> '(\w+:\[\d+\])'$/.exec(line) ?? [];
    if (type === undefined) return line.trim().replaceAll(/\s+/g, " ");
    return `${type} ${link === (here ? readlinkSync(`/proc/self/ns/${type}`) : initial[type]) ? "shared" : "own"}`;
  });
}

/** The numbers of a kernel's first namespaces (include/linux/proc_ns.h). */
const initial: Record<string, string> = {
  cgroup: "cgroup:[4026531835]",
  ipc: "ipc:[4026531839]",
  pid: "pid:[4026531836]",
  time: "time:[4026531834]",
  user: "user:[4026531837]",
  uts: "uts:[4026531838]",
};

/** Where, how, what: `/dev/shm rw,nosuid tmpfs size=64k`. What masks paths is asked for by its effect. */
function mounts(lines: readonly string[], { linux }: Config): readonly string[] {
  const masks = [linux.maskedPaths, linux.readonlyPaths].flatMap((paths) => (paths as string[] | undefined) ?? []);
  return lines.flatMap((line) => {
    const [, path = "", options = "", tags = "", type = "", source = "", data = ""] =
      /^\d+ \d+ [\d:]+ \S+ (\S+) (\S+) (.*?)- (\S+) (\S+) (\S+)$/.exec(line) ?? [];
    if (masks.includes(path)) return [];
    // Version 1 is a directory of hierarchies, version 2 one.
    if (path.startsWith("/sys/fs/cgroup")) {
      if (type === "tmpfs" || (path !== "/sys/fs/cgroup" && basename(path) !== "memory")) return [];
      return [`/sys/fs/cgroup ${options}`];
    }
    const propagation = tags.replaceAll(/:\d+/g, "").trim();
    const files = /^(overlay|ext4|9p|fuse|virtiofs|fuse\.\w+)$/.test(type);
    const own = type === "tmpfs" || type === "devpts" || type === "proc";
    const words = own
      ? [type, source, ...data.split(",").filter((word) => !/^(inode64|ro|rw|seclabel)$/.test(word))]
      : [type];
    return [[path, options, propagation, ...(files ? ["files"] : words)].filter(Boolean).join(" ")];
  });
}

/** The limits that are set, in the words of version 2. */
function cgroup(lines: readonly string[], { linux }: Config): readonly string[] {
  const { memory, cpu, pids } = (linux.resources ?? {}) as Record<string, Record<string, unknown> | undefined>;
  const isSet: Record<string, unknown> = {
    "memory.max": memory?.limit,
    "memory.low": memory?.reservation,
    "cpu.weight": cpu?.shares,
    "cpu.max": cpu?.quota,
    "cpuset.cpus": cpu?.cpus,
    "pids.max": pids?.limit,
  };
  const values = new Map(lines.map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]));
  const said = new Map<string, string>();
  const v1 = (name: keyof typeof cgroupFiles) => values.get(name);
  for (const [old, name] of Object.entries(cgroupFiles)) {
    const value = values.get(name) ?? values.get(old);
    if (value !== undefined && value !== "") said.set(name, value);
  }
  const none = (value: string | undefined, otherwise: string) => (Number(value) >= 2 ** 62 ? otherwise : value);
  if (v1("memory/memory.limit_in_bytes") !== undefined) {
    said.set("memory.max", none(v1("memory/memory.limit_in_bytes"), "max")!);
    said.set("memory.low", none(v1("memory/memory.soft_limit_in_bytes"), "0")!);
    const shares = Number(v1("cpu/cpu.shares"));
    said.set("cpu.weight", String(1 + Math.trunc(((shares - 2) * 9999) / 262142)));
    const quota = v1("cpu/cpu.cfs_quota_us");
    said.set("cpu.max", `${quota === "-1" ? "max" : quota} ${v1("cpu/cpu.cfs_period_us")}`);
  }
  return sorted([...said].filter(([name]) => isSet[name]).map(([name, value]) => `${name} ${value}`));
}

/** The lines that one has and the other has not, `section: line`. */
export function missingFrom(one: View, other: View): string[] {
  return [...one].flatMap(([section, lines]) => {
    const left = [...(other.get(section) ?? [])];
    return lines.flatMap((line) => {
      const at = left.indexOf(line);
      if (at >= 0) left.splice(at, 1);
      return at >= 0 ? [] : [`${section}: ${line}`];
    });
  });
}
