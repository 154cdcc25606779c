/** The cgroup hierarchies of this machine: version 1, version 2, or both side by side (cgroups(7)). */
import { readFileSync, writeFileSync } from "node:fs";

/** A mounted hierarchy. */
export interface Hierarchy {
  version: 1 | 2;
  /** What it is for: controllers, or `name=systemd`. Empty for version 2. */
  controllers: readonly string[];
  /** Where it is mounted. */
  mountPoint: string;
  /** Which cgroup is seen there; "/" unless this process is in a container. */
  root: string;
  /** The cgroup of this process. */
  own: string;
}

/** The hierarchies that this process sees. */
export function hierarchies(
  mountinfo = readFileSync("/proc/self/mountinfo", "utf8"),
  cgroup = readFileSync("/proc/self/cgroup", "utf8"),
): Hierarchy[] {
  const own = ownCgroups(cgroup);
  const found: Hierarchy[] = [];
  for (const line of mountinfo.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const [, , , root = "/", mountPoint = ""] = left.split(" ");
    const [type, , options = ""] = right.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") continue;
    const controllers = type === "cgroup2" ? [] : options.split(",").filter((option) => own.has(option));
    const path = own.get(controllers[0] ?? "");
    if (path === undefined || found.some((other) => same(other.controllers, controllers))) continue;
    found.push({ version: type === "cgroup2" ? 2 : 1, controllers, mountPoint, root, own: path });
  }
  return found;
}

/** The directory of a cgroup, whose path is that of /proc/PID/cgroup. */
export function directoryOf({ mountPoint, root }: Hierarchy, path: string): string {
  const below = root !== "/" && (path === root || path.startsWith(`${root}/`)) ? path.slice(root.length) : path;
  return `${mountPoint}${below}`.replace(/\/+$/, "");
}

/** Moves a process into the cgroups of this one, where it is in others. @throws as writing a file does */
export function followCgroups(pid: number): void {
  const other = ownCgroups(readFileSync(`/proc/${pid}/cgroup`, "utf8"));
  for (const hierarchy of hierarchies()) {
    const { controllers, own } = hierarchy;
    if (other.get(controllers[0] ?? "") !== own)
      writeFileSync(`${directoryOf(hierarchy, own)}/cgroup.procs`, String(pid));
  }
}

/** Moves this process into the cgroups above all others, as far as it may: they are nobody's, and have no limits. */
export function leaveCgroups(): void {
  for (const hierarchy of hierarchies()) {
    try {
      writeFileSync(`${hierarchy.mountPoint}/cgroup.procs`, String(process.pid));
    } catch {
      // Not root's, or of version 2 and not the first: there processes are only in the lowest cgroups.
    }
  }
}

/** A process's cgroup by controller, of its /proc/PID/cgroup; by "" in version 2. */
function ownCgroups(cgroup: string): Map<string, string> {
  const own = new Map<string, string>();
  for (const line of cgroup.split("\n")) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    for (const controller of match[1]!.split(",")) own.set(controller, match[2]!);
  }
  return own;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.join() === b.join();
}
