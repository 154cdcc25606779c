/** What is mounted where, as this process sees it (proc(5), /proc/PID/mountinfo). */
import { readFileSync } from "node:fs";

/** Something that is mounted below a directory. */
export interface MountBelow {
  /** Its path from there, without a slash at the beginning. */
  path: string;
  /** The mount's own options: `ro`, `nosuid`. */
  options: readonly string[];
}

/**
 * The mounts below a directory, in the order in which they came; of several on one place the last.
 * @param directory its real path
 */
export function mountsBelow(directory: string, mountinfo = readMountInfo()): MountBelow[] {
  const prefix = directory === "/" ? "/" : `${directory}/`;
  const below = new Map<string, MountBelow>();
  for (const line of mountinfo.split("\n")) {
    const [, , , , mountPoint = "", options = ""] = line.split(" ");
    const point = plain(mountPoint);
    if (!point.startsWith(prefix) || point === prefix) continue;
    const path = point.slice(prefix.length);
    below.delete(path);
    below.set(path, { path, options: options.split(",") });
  }
  return [...below.values()];
}

/** A mount. */
export interface MountInfo {
  /** The number of its file system: `0:57`. */
  device: string;
  /** What of the file system is mounted: `/` for all of it. */
  root: string;
  /** Where. */
  point: string;
  /** The mount's own options: `ro`, `nosuid`. */
  options: readonly string[];
  /** The type of its file system. */
  type: string;
  /** The file system's own options: `upperdir=/up`. */
  data: readonly string[];
}

/** All mounts, in the kernel's words. */
export function readMountInfo(): string {
  return readFileSync("/proc/self/mountinfo", "utf8");
}

/** The mount in which an open file is; undefined when this process's namespace does not have it. */
export function mountOf(descriptor: number, mountinfo = readMountInfo()): MountInfo | undefined {
  const id = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8"))?.[1];
  const line = mountinfo.split("\n").find((line) => line.startsWith(`${id} `));
  if (id === undefined || line === undefined) return undefined;
  const [, , device = "", root = "", point = "", options = ""] = line.split(" ");
  const [type = "", , data = ""] = line.slice(line.indexOf(" - ") + 3).split(" ");
  return {
    ...{ device, root: plain(root), point: plain(point), options: options.split(","), type },
    data: data.split(",").map(plain),
  };
}

/** Blanks and backslashes are three octal digits there; others than of ASCII are as they are. */
function plain(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
