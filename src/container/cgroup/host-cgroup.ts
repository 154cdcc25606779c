/**
 * The container's cgroup on the host: where callers look for its processes, account for it and watch for its end of memory.
 * Its shims, and for the container that the machine was started for also the monitor and the hypervisor, are in it.
 */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { RunvError } from "../../base/error";
import { directoryOf, type Hierarchy, hierarchies } from "../../linux/cgroups";
import type { Resources } from "../../oci/resources";
import { innerCgroups } from "../../sandbox/host-oom";
import { checkExistingCgroup } from "./existing-cgroup";
import { hostLimits, writeQuietly } from "./host-limits";

/** What is asked of a cgroup. */
export interface HostCgroupRequest {
  id: string;
  /** linux.cgroupsPath. */
  path: string | undefined;
  /** It is `slice:prefix:name`. */
  systemd: boolean;
  resources: Resources | undefined;
  /** The machine's, and what its hypervisor needs of its own, in MiB. */
  memoryMiB: number;
}

/** Where the container's cgroup is to be. @param alone nobody else may be in it @throws RunvError CONFIG_INVALID; CGROUP when it is there and frozen */
export function planHostCgroup(request: HostCgroupRequest, alone = false): string[] {
  const directories = ownCgroups(request).map(({ directory }) => directory);
  checkExistingCgroup(directories, alone);
  return directories;
}

/** A cgroup of a container, and the hierarchy that it is in. */
export interface OwnCgroup {
  hierarchy: Hierarchy;
  directory: string;
}

/** The container's cgroups. */
export function ownCgroups(request: Pick<HostCgroupRequest, "id" | "path" | "systemd">): OwnCgroup[] {
  return writable().map((hierarchy) => ({
    hierarchy,
    directory: directoryOf(hierarchy, cgroupPath(request, hierarchy)),
  }));
}

/** The same, of their directories. */
export function cgroupsOf(directories: readonly string[]): OwnCgroup[] {
  const all = writable();
  return directories.flatMap((directory) => {
    const hierarchy = all.find(({ mountPoint }) => directory.startsWith(`${mountPoint}/`));
    return hierarchy === undefined ? [] : [{ hierarchy, directory }];
  });
}

/** Makes the container's cgroup in every hierarchy. @throws RunvError CGROUP; some may be made then */
export function makeHostCgroup(request: HostCgroupRequest): void {
  try {
    for (const hierarchy of writable()) {
      makeCgroup(directoryOf(hierarchy, cgroupPath(request, hierarchy)), hierarchy);
    }
  } catch (cause) {
    const { code, path } = cause as NodeJS.ErrnoException;
    throw new RunvError("CGROUP", `make the cgroup of ${request.id}: ${path}: ${code}`, {
      cause,
      hint:
        process.getuid?.() === 0
          ? "linux.cgroupsPath names it; runv makes it in every cgroup hierarchy below /sys/fs/cgroup"
          : "runv is started by another user than root: sudo",
    });
  }
}

/**
 * Sets the limits of a container's cgroup. They are the container's, so they begin when its machine is there: a guest that boots at
 * a thousandth of the disk's speed never gets there.
 */
export function limitHostCgroup(request: HostCgroupRequest): void {
  for (const hierarchy of writable()) {
    const directory = directoryOf(hierarchy, cgroupPath(request, hierarchy));
    for (const [file, value] of hostLimits(hierarchy, request.resources, request.memoryMiB)) {
      writeQuietly(`${directory}/${file}`, value);
    }
  }
}

/**
 * Moves a process, with all its threads, into a cgroup. The kernel waits for a grace period of RCU meanwhile, 5 to 8 ms: this process goes on.
 * @throws RunvError CGROUP
 */
export async function joinHostCgroup(directories: readonly string[], pid: number): Promise<void> {
  const join = async (directory: string) => {
    try {
      await writeFile(`${directory}/cgroup.procs`, String(pid));
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new RunvError("CGROUP", `move process ${pid} into the cgroup ${directory}: ${code}`, {
        cause,
        ...(processesIn(dirname(directory)).length > 0 && {
          hint: `${dirname(directory)} has processes of its own, so in version 2 there is none below it (cgroups(7)): name another in linux.cgroupsPath`,
        }),
      });
    }
  };
  // All at once: this thread may have no time for one after the other.
  await Promise.all(directories.map(join));
}

/** How long processes that were killed may take to leave a cgroup. */
const leaveTimeoutMs = 1_000;

/** Whether a process is in a cgroup. */
export function isInHostCgroup(directories: readonly string[], pid: number): boolean {
  return directories.some((directory) => processesIn(directory).includes(pid));
}

/** The processes of the host in a cgroup; none when it is gone. */
export function processesIn(directory: string): number[] {
  try {
    return readFileSync(`${directory}/cgroup.procs`, "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Removes a cgroup that has no processes any more. One that is gone is fine, and so is one that others are in. */
export async function removeHostCgroup(directories: readonly string[]): Promise<void> {
  const deadline = performance.now() + leaveTimeoutMs;
  for (const directory of directories.flatMap((path) => [...innerCgroups.map((name) => `${path}/${name}`), path])) {
    // Nothing tells that a cgroup of version 1 is empty.
    while (isBusy(directory) && performance.now() < deadline) await Bun.sleep(5);
  }
}

/** Tries to remove a cgroup. @returns whether it is there still, because of processes in it or cgroups below */
function isBusy(directory: string): boolean {
  try {
    rmdirSync(directory);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EBUSY";
  }
}

/** The hybrid layout has version 2 beside version 1, without controllers: there a cgroup says nothing. */
function writable(): Hierarchy[] {
  const all = hierarchies();
  const legacy = all.filter(({ version }) => version === 1);
  return legacy.length > 0 ? legacy : all;
}

/**
 * The path of the cgroup, as runc makes it of linux.cgroupsPath: one that is not absolute begins in version 1 at the caller's own cgroup, and in
 * version 2 above that, for there the processes are in the lowest cgroups only (cgroups(7), "no internal processes").
 */
export function cgroupPath(
  { id, path, systemd }: Pick<HostCgroupRequest, "id" | "path" | "systemd">,
  { own, version }: Pick<Hierarchy, "own" | "version">,
): string {
  if (systemd) return systemdPath(path ?? "", id);
  const inner = path === undefined || path === "" ? id : path;
  if (inner.startsWith("/")) return normal(inner);
  return normal(`${version === 2 ? dirname(own) : own}${normal(inner)}`);
}

/** `system.slice:docker:ID` is /system.slice/docker-ID.scope; a slice `a-b.slice` is in `a.slice` (systemd.slice(5)). */
function systemdPath(path: string, id: string): string {
  const parts = path === "" ? ["system.slice", "runv", id] : path.split(":");
  if (parts.length !== 3) {
    throw new RunvError(
      "CONFIG_INVALID",
      `linux.cgroupsPath: expected "slice:prefix:name", got ${JSON.stringify(path)}`,
    );
  }
  const [slice = "", prefix, name = ""] = parts;
  const unit = name.endsWith(".slice") ? name : `${prefix}-${name}.scope`;
  return normal(`${slicePath(slice || "system.slice")}/${unit}`);
}

function slicePath(slice: string): string {
  if (slice === "-.slice") return "";
  const names = slice.replace(/\.slice$/, "").split("-");
  return names.map((_, index) => `/${names.slice(0, index + 1).join("-")}.slice`).join("");
}

/** Without `.` and `..`: the path is the bundle's, and must not leave the hierarchy. */
function normal(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** Makes a cgroup and all above it, such that processes can be in it. */
function makeCgroup(directory: string, hierarchy: Hierarchy): void {
  if (directory === hierarchy.mountPoint) return;
  const parent = dirname(directory);
  makeCgroup(parent, hierarchy);
  if (hierarchy.version === 2) enableControllers(parent);
  try {
    mkdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  if (!hierarchy.controllers.includes("cpuset")) return;
  // Version 1 begins with no processors and no memory nodes, and takes no process then.
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    if (readFileSync(`${directory}/${file}`, "utf8").trim() !== "") continue;
    writeFileSync(`${directory}/${file}`, readFileSync(`${parent}/${file}`));
  }
}

function enableControllers(directory: string): void {
  const available = readFileSync(`${directory}/cgroup.controllers`, "utf8").split(/\s+/).filter(Boolean);
  for (const controller of available) writeQuietly(`${directory}/cgroup.subtree_control`, `+${controller}`);
}
