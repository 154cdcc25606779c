/** The mounts of a Create request, which make the bundle's root file system on the host. */
import { RunvError } from "../base/error";
import { MNT_DETACH, MS_BIND, MS_RDONLY, MS_REMOUNT } from "../linux/constants";
import { SystemError, syscall } from "../linux/local";
import { mountFlags, propagationFlags } from "../oci/mount-options";
import type { Received } from "./messages";

type Mount = Received<"Mount">;

/** What mount(2) takes of a file system's own options, without its last byte: a page. */
const mostData = 4095;

/**
 * Mounts them, one on the other, on a directory. Nothing is left of them when one fails.
 * @throws RunvError ROOTFS_MOUNT, UNSUPPORTED
 */
export function mountAll(mounts: readonly Mount[], directory: string): void {
  try {
    for (const mount of mounts) mountOne(mount, directory);
  } catch (error) {
    unmountAll(directory);
    throw error;
  }
}

/** Unmounts whatever is mounted on a directory, which may be gone. What others have of it stays theirs. */
export function unmountAll(directory: string): void {
  try {
    for (;;) syscall("umount2", directory, MNT_DETACH);
  } catch (error) {
    if (!(error instanceof SystemError && (error.code === "EINVAL" || error.code === "ENOENT"))) throw error;
  }
}

function mountOne({ type, source, target, options }: Mount, directory: string): void {
  const { flags, propagation, data } = parsed(options);
  if (target !== "") throw unsupported(`a mount on ${target} in it`);
  if (data.includes("loop"))
    throw unsupported(`${type} by a loop device, one of several mounts or with a driver that has no disks`);
  if (type.startsWith("fuse")) throw unsupported(type);
  try {
    withShortPaths(data, (text) => syscall("mount", source, directory, type, flags, text));
    for (const flag of propagation) syscall("mount", "none", directory, 0, flag, 0);
    // The kernel makes a bind mount as its source is, and changes it afterwards.
    if (flags & MS_BIND && flags & MS_RDONLY) syscall("mount", "none", directory, 0, flags | MS_REMOUNT, 0);
  } catch (cause) {
    throw new RunvError("ROOTFS_MOUNT", `mount ${type} of ${source} on ${directory}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** Options of a mount as mount(2) takes them; `data` is what is the file system's own. */
export function parsed(options: readonly string[]) {
  let flags = 0;
  const propagation: number[] = [];
  const data: string[] = [];
  for (const option of options) {
    const known = mountFlags[option];
    const spread = propagationFlags[option];
    if (known !== undefined) flags = known.clear ? flags & ~known.flag : flags | known.flag;
    else if (spread !== undefined) propagation.push(spread);
    else if (option !== "") data.push(option);
  }
  return { flags, propagation, data };
}

/** Where an overlay has so many layers that their paths do not fit, they are named from a directory that all are in. */
function withShortPaths(data: readonly string[], action: (data: string) => void): void {
  const lower = data.find((option) => option.startsWith("lowerdir="));
  if (data.join(",").length <= mostData || lower === undefined) {
    action(data.join(","));
    return;
  }
  const layers = lower.slice("lowerdir=".length).split(":");
  const common = commonDirectory(layers);
  const short = `lowerdir=${layers.map((layer) => layer.slice(common.length)).join(":")}`;
  const before = process.cwd();
  process.chdir(common);
  try {
    action(data.map((option) => (option === lower ? short : option)).join(","));
  } finally {
    process.chdir(before);
  }
}

/** The directory that all paths are in, with a slash at its end. */
function commonDirectory([first = "/", ...others]: readonly string[]): string {
  let end = first.lastIndexOf("/");
  while (end > 0 && !others.every((path) => path.startsWith(first.slice(0, end + 1)))) {
    end = first.lastIndexOf("/", end - 1);
  }
  return first.slice(0, end + 1);
}

function unsupported(what: string): RunvError {
  return new RunvError("UNSUPPORTED", `root file system: ${what}`, {
    hint: "the snapshotters overlayfs, native, devmapper and blockfile give what runv takes",
  });
}
