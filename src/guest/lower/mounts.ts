/** The mounts of config.json, in its order (config.md, "Mounts"). */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_REC,
  O_DIRECTORY,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../linux/constants";
import type { Mount } from "../../oci/mounts";
import type { Assembler, Operand, Register } from "../../program/assembler";
import { close } from "../../program/files";
import { copyTree } from "./copy-tree";
import { type AttributeChange, type MountOptions, sortMountOptions } from "./mount-flags";
import { directoryInRoot, fileInRoot, openInRoot } from "./root";
import { hiddenMode, takeMode } from "./tmpfs";

/** Where the source of a bind mount is in the guest. */
export interface BoundSource {
  path: string;
  directory: boolean;
  /** Its detached mount, when it was taken already. */
  tree?: Register;
}

/** What mounts lean on. */
export interface MountPlan {
  mounts: readonly Mount[];
  /** For each bind mount, by its index, what is to be mounted. */
  sources: ReadonlyMap<number, BoundSource>;
  /** The container's cgroup, where it has no cgroup namespace and so sees no more than this of the hierarchy. */
  cgroup: string | undefined;
  /** Whether the machine's /sys stands for a sysfs, which a user namespace cannot make: that is of the network's owner. */
  bindSys: boolean;
}

/** Takes the sources of bind mounts while the process is the machine's root, for whom alone their paths are. */
export function takeSources(
  p: Assembler,
  mounts: readonly Mount[],
  sources: ReadonlyMap<number, BoundSource>,
): Map<number, BoundSource> {
  const taken = new Map<number, BoundSource>();
  for (const [index, source] of sources) {
    const mount = mounts[index]!;
    p.doing(`mount ${mount.source} on ${mount.destination}`);
    taken.set(index, { ...source, tree: openTree(p, source.path, sortMountOptions(mount.options).recursive) });
  }
  return taken;
}

function openTree(p: Assembler, path: string, recursive: boolean): Register {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  return p.value("open_tree", [AT_FDCWD, p.text(path), flags]);
}

/** Mounts everything below the container's root. */
export function lowerMounts(p: Assembler, root: Register, { mounts, sources, cgroup, bindSys }: MountPlan): void {
  for (const [index, mount] of mounts.entries()) {
    const options = sortMountOptions(mount.options);
    const { type, destination } = mount;
    p.doing(`mount ${sources.has(index) ? mount.source : type} on ${destination}`);
    // Nodes are still to be made there: see `lowerReadonlyDev`.
    if (isDev(mount)) options.attributes.set &= ~MOUNT_ATTR_RDONLY;
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

function lowerBind(p: Assembler, root: Register, path: string, options: MountOptions, source: BoundSource): void {
  const tree = source.tree ?? openTree(p, source.path, options.recursive);
  const target = source.directory ? directoryInRoot(p, root, path) : fileInRoot(p, root, path);
  attach(p, tree, target, options);
}

function lowerNew(p: Assembler, root: Register, mount: Mount, options: MountOptions): void {
  const type = guestType(mount.type ?? "none");
  const hidden = type === "tmpfs" ? hiddenMode(p, root, mount.destination) : undefined;
  const target = directoryInRoot(p, root, mount.destination);
  const tree = newFileSystem(p, type, mount.source ?? type, options);
  if (hidden !== undefined) {
    if (!options.data.some((option) => option.startsWith("mode="))) takeMode(p, tree, hidden);
    if (options.extensions.includes("tmpcopyup")) copyTree(p, target, tree, mount.destination);
    p.release(hidden);
  }
  attach(p, tree, target, options);
}

/** The guest has cgroup v2 alone, which containers of either kind are given. */
function guestType(type: string): string {
  return type === "cgroup" ? "cgroup2" : type;
}

/** Makes a file system. @returns a register with its detached mount */
export function newFileSystem(p: Assembler, type: string, source: string, options: MountOptions): Register {
  const fs = p.value("fsopen", [p.text(type), FSOPEN_CLOEXEC]);
  p.syscall("fsconfig", [fs, FSCONFIG_SET_STRING, p.text("source"), p.text(source), 0]);
  for (const flag of options.superblock) p.syscall("fsconfig", [fs, FSCONFIG_SET_FLAG, p.text(flag), 0, 0]);
  // Data of a legacy hierarchy (`memory`, `name=systemd`) means nothing to cgroup v2.
  for (const option of type === "cgroup2" ? [] : options.data) {
    const [key = "", ...value] = option.split("=");
    if (value.length === 0) p.syscall("fsconfig", [fs, FSCONFIG_SET_FLAG, p.text(key), 0, 0]);
    else p.syscall("fsconfig", [fs, FSCONFIG_SET_STRING, p.text(key), p.text(value.join("=")), 0]);
  }
  p.syscall("fsconfig", [fs, FSCONFIG_CMD_CREATE, 0, 0, 0]);
  const tree = p.value("fsmount", [fs, FSMOUNT_CLOEXEC, 0]);
  close(p, fs);
  return tree;
}

/** Gives a detached mount its attributes and puts it on its target. Both descriptors are closed. */
function attach(p: Assembler, tree: Register, target: Register, options: MountOptions): void {
  setAttributes(p, tree, options.attributes, false);
  setAttributes(p, tree, options.recursiveAttributes, true);
  moveMount(p, tree, target);
  for (const propagation of options.propagation) setPropagation(p, tree, propagation);
  close(p, tree, target);
}

/** Puts a detached mount on what another descriptor stands for. */
export function moveMount(p: Assembler, tree: Register, target: Register): void {
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  p.syscall("move_mount", [tree, p.text(""), target, p.text(""), flags]);
}

/** Changes a mount's attributes; nothing when there is nothing to change. */
export function setAttributes(p: Assembler, tree: Operand, change: AttributeChange, recursive: boolean): void {
  if (change.set === 0 && change.clear === 0) return;
  mountSetattr(p, tree, [change.set, change.clear, 0, 0], recursive);
}

/** Sets a mount's propagation: MS_PRIVATE and so on, with MS_REC for all below it. */
export function setPropagation(p: Assembler, tree: Operand, propagation: number): void {
  mountSetattr(p, tree, [0, 0, propagation & ~MS_REC, 0], (propagation & MS_REC) !== 0);
}

/** mount_setattr(2) with struct mount_attr: set, clear, propagation, user namespace. */
function mountSetattr(p: Assembler, tree: Operand, attr: [number, number, number, number], recursive: boolean): void {
  const struct = p.bytes(new Uint8Array(new BigUint64Array(attr.map(BigInt)).buffer));
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  p.syscall("mount_setattr", [tree, p.text(""), flags, struct, 32]);
}
