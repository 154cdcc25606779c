/** The mounts of config.json, in its order (config.md, "Mounts"). */
import { MOUNT_ATTR_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_PATH } from "../../linux/constants";
import { errnoOf } from "../../linux/errno";
import type { Mount } from "../../oci/mounts";
import type { Assembler, Register } from "../../program/assembler";
import { close } from "../../program/files";
import { type BoundSource, lowerBind } from "./bind";
import { copyTree } from "./copy-tree";
import type { Ground } from "./ground";
import { attach, newFileSystem, setAttributes } from "./mount-calls";
import { type MountOptions, sortMountOptions } from "./mount-flags";
import { directoryInRoot, openInRoot } from "./root";
import { hiddenMode, takeMode } from "./tmpfs";

/** What mounts lean on. */
export interface MountPlan {
  mounts: readonly Mount[];
  /** For each bind mount, by its index, what is to be mounted. */
  sources: ReadonlyMap<number, BoundSource>;
  /** The container's cgroup, where it has no cgroup namespace and so sees no more than this of the hierarchy. */
  cgroup: string | undefined;
  /** Whether the machine's /sys stands for a sysfs, which a user namespace cannot make: that is of the network's owner. */
  bindSys: boolean;
  ground: Ground;
}

/** Mounts everything below the container's root. */
export function lowerMounts(
  p: Assembler,
  root: Register,
  { mounts, sources, cgroup, bindSys, ground }: MountPlan,
): void {
  for (const [index, mount] of mounts.entries()) {
    const inherited = sources.get(index)?.inherited ?? [];
    const options = sortMountOptions([...inherited, ...mount.options]);
    const { type, destination } = mount;
    p.doing(`mount ${sources.has(index) ? mount.source : type} on ${destination}`);
    // Nodes are still to be made there: see `lowerReadonlyDev`.
    if (isDev(mount)) options.attributes.set &= ~MOUNT_ATTR_RDONLY;
    if (isCgroup(mount) && ground.mountCgroups(p, root, mount, options)) continue;
    const own = isCgroup(mount) ? cgroup : undefined;
    const sysfs = bindSys && type === "sysfs" ? "/sys" : undefined;
    const path = own ?? sysfs;
    if (sysfs !== undefined) options.recursive = true;
    const source = path === undefined ? sources.get(index) : { path, directory: true };
    if (source === undefined) lowerNew(p, root, mount, options);
    else lowerBind(p, root, destination, options, source);
  }
}

/** Makes /dev read-only, when it is mounted so, after it was filled. */
export function lowerReadonlyDev(p: Assembler, root: Register, mounts: readonly Mount[]): void {
  const mount = mounts.find(isDev);
  if (mount === undefined) return;
  const readOnly = sortMountOptions(mount.options).attributes.set & MOUNT_ATTR_RDONLY;
  if (readOnly === 0) return;
  p.doing("make /dev read-only");
  const dev = openInRoot(p, root, "/dev", O_PATH | O_DIRECTORY);
  setAttributes(p, dev, { set: readOnly, clear: 0 }, false);
  close(p, dev);
}

const isDev = ({ destination }: Mount): boolean => destination.replace(/\/+$/, "") === "/dev";
const isCgroup = ({ type }: Mount): boolean => type === "cgroup" || type === "cgroup2";

function lowerNew(p: Assembler, root: Register, mount: Mount, options: MountOptions): void {
  const { destination } = mount;
  const type = guestType(mount.type ?? "none");
  const takesMode = type === "tmpfs" && !options.data.some((option) => option.startsWith("mode="));
  const hidden = takesMode ? hiddenMode(p, root, destination) : undefined;
  const ordinary = (type === "proc" || type === "sysfs") && isTop(destination);
  const target = ordinary ? ordinaryDirectory(p, root, type, destination) : directoryInRoot(p, root, destination);
  const tree = newFileSystem(p, type, mount.source ?? type, options);
  if (hidden !== undefined) {
    takeMode(p, tree, hidden);
    p.release(hidden);
  }
  if (type === "tmpfs" && options.extensions.includes("tmpcopyup")) copyTree(p, target, tree, destination);
  attach(p, tree, target, options);
}

const isTop = (destination: string): boolean => /^\/*[^/]+\/*$/.test(destination);

/**
 * The kernel's own file systems are where everybody looks for them, not where a link of the image leads to (runc's words). Links on
 * the way to a deeper place are followed below the root, as everywhere.
 */
function ordinaryDirectory(p: Assembler, root: Register, type: string, destination: string): Register {
  const [other, fine, there] = [p.label(), p.label(), p.label()];
  const accept = ["ENOENT", "ENOTDIR"] as const;
  const fd = openInRoot(p, root, destination, O_PATH | O_DIRECTORY | O_NOFOLLOW, { accept, otherwise: other });
  p.jump(there);
  p.place(other);
  p.doing(`filesystem "${type}" must be mounted on ordinary directory`, { complete: true, code: "MOUNT_TARGET" });
  const link = [root, p.text(destination.replaceAll("/", "")), p.zeroed(8), 1];
  p.syscall("readlinkat", link, { accept: ["EINVAL", "ENOENT"], otherwise: fine });
  p.fail(errnoOf("ELOOP"));
  p.place(fine);
  p.doing(`mount ${type} on ${destination}`);
  p.set(fd, directoryInRoot(p, root, destination));
  p.place(there);
  return fd;
}

/** Where the container's cgroups are one new file system, it is of version 2, which containers of either kind are given. */
function guestType(type: string): string {
  return type === "cgroup" ? "cgroup2" : type;
}
