/** The layers of overlay file systems: who copies one need not copy the lower ones, which nobody writes to. */
import { readlinkSync, statSync } from "node:fs";
import { type MountInfo, mountOf } from "../linux/mounts";

/** What an overlay file system is made of (Documentation/filesystems/overlayfs.rst). */
export interface Layers {
  /** Absolute paths, the topmost first. */
  lower: readonly string[];
  /** What is written to; undefined: nothing is. */
  upper?: string | undefined;
  /** What says how the layers are to be read: `metacopy=on`. */
  options: readonly string[];
}

/** Options that say how layers are to be read, and those that make no difference to what is in them. */
const [kept, ignored] = [
  /^(redirect_dir|metacopy|xino)=|^userxattr$/,
  /^(rw|ro|volatile|default_permissions)$|^(workdir|uuid|fsync)=|^(index|nfs_export|verity)=off$/,
];
/** mount(2) takes a page of options. */
const longestOptions = 4095;

/**
 * The layers of which a directory is made.
 * @param directory a descriptor
 * @returns undefined where it is no overlay file system, not all of one, or one whose layers cannot be those of another
 */
export function layersOf(directory: number): Layers | undefined {
  const mount = mountOf(directory);
  if (mount?.type !== "overlay" || mount.root !== "/") return undefined;
  if (readlinkSync(`/proc/self/fd/${directory}`) !== mount.point) return undefined;
  return parseLayers(mount);
}

/** The same of a mount. What is named by a relative path, or one with colons in it, is not known. */
export function parseLayers({ data }: Pick<MountInfo, "data">): Layers | undefined {
  const lower: string[] = [];
  const options: string[] = [];
  let upper: string | undefined;
  for (const option of data) {
    const [key = "", value = ""] = option.split(/=(.*)/s, 2);
    if (key === "lowerdir") lower.push(...value.split(":"));
    else if (key === "lowerdir+") lower.push(value);
    else if (key === "upperdir") upper = value;
    else if (kept.test(option)) options.push(option);
    else if (!ignored.test(option)) return undefined;
  }
  const all = upper === undefined ? lower : [upper, ...lower];
  return lower.length > 0 && all.every(isPlace) ? { lower, upper, options } : undefined;
}

function isPlace(path: string): boolean {
  return (
    path.startsWith("/") && !/[\\:]/.test(path) && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  );
}

/** How layers are said to mount(2); undefined when there are too many, or paths with what means something else there. */
export function optionsFor({ lower, upper, options }: Layers, work: string): string | undefined {
  const paths = [...lower, ...(upper === undefined ? [] : [upper, work])];
  if (paths.some((path) => /[\\:,]/.test(path))) return undefined;
  const writable = upper === undefined ? [] : [`upperdir=${upper}`, `workdir=${work}`];
  const text = [`lowerdir=${lower.join(":")}`, ...writable, ...options].join(",");
  return Buffer.byteLength(text) > longestOptions ? undefined : text;
}
