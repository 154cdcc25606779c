/**
 * Mount trees on their way into a share: a command takes one of what it sees (open_tree(2)), the monitor fetches the descriptor
 * (pidfd_getfd(2)) and attaches it in its own mount namespace. So a volume reaches the guest from whatever mount namespace the command was
 * called in, and no mount ever shows on the host.
 */
import { closeSync } from "node:fs";
import { RunvError } from "../base/error";
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MS_PRIVATE,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../linux/constants";
import { SystemError, syscall } from "../linux/local";

/** Attributes to set and to clear, of mount_setattr(2). */
interface Attributes {
  set: number;
  clear: number;
}

/** What of its attributes holds for a tree on the host, whatever the guest makes of them: of its root, and then of all mounts in it. */
export interface TreeAttributes {
  root: Attributes;
  all: Attributes;
  /** What is mounted on the host from then on does not arrive in the tree's root, or in none of its mounts; it does if undefined. */
  isolated?: "root" | "all";
}

/** Nothing but what holds for every tree. */
export const unchanged: TreeAttributes = { root: { set: 0, clear: 0 }, all: { set: 0, clear: 0 } };

/**
 * Takes a copy of the mount tree at an open place.
 * @param place a descriptor, of O_PATH maybe
 * @param recursive with what is mounted below it
 * @returns its descriptor
 * @throws SystemError
 */
export function openTree(place: number, recursive: boolean): number {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  return syscall("open_tree", place, "", AT_EMPTY_PATH | flags);
}

/**
 * Makes a tree fit for a share. Who serves it may make device nodes in it, for guests do, but open none of them, and run nothing. The guest's kernel
 * decides for itself what its device nodes are and what may be executed. And what is mounted on the host arrives in the tree, if it may, but when the
 * tree is detached, with all that is mounted below it, nothing is unmounted on the host.
 * @throws SystemError
 */
export function restrictTree(tree: number, { root, all, isolated }: TreeAttributes): void {
  changeAttributes(tree, root, false);
  changeAttributes(tree, all, true);
  changeAttributes(tree, { set: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, clear: 0 }, true, MS_SLAVE);
  if (isolated !== undefined) changeAttributes(tree, unchanged.all, isolated === "all", MS_PRIVATE);
}

/**
 * Changes what mount_setattr(2) changes, of a tree's root or of all mounts in it.
 * @param propagation MS_SLAVE and so on
 * @param userNamespace a descriptor, with MOUNT_ATTR_IDMAP
 * @throws SystemError
 */
export function changeAttributes(
  tree: number,
  { set, clear }: Attributes,
  recursive: boolean,
  propagation = 0,
  userNamespace = 0,
): void {
  if (set === 0 && clear === 0 && propagation === 0) return;
  // struct mount_attr: set, clear, propagation, user namespace
  const attributes = new BigUint64Array([BigInt(set), BigInt(clear), BigInt(propagation), BigInt(userNamespace)]);
  const bytes = new Uint8Array(attributes.buffer);
  try {
    syscall("mount_setattr", tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), bytes, bytes.length);
  } catch (cause) {
    if (!(cause instanceof SystemError) || cause.code !== "ENOSYS") throw cause;
    throw new RunvError("HOST_KERNEL_OLD", `make a mount fit for the share: ${cause.message}`, {
      cause,
      hint: "this takes Linux 5.12 or newer on the host (mount_setattr)",
    });
  }
}

/** A tree that is an empty tmpfs of a few MiB. @throws SystemError */
export function emptyTree(): number {
  const context = syscall("fsopen", "tmpfs", FSOPEN_CLOEXEC);
  try {
    for (const [key, value] of Object.entries({ mode: "755", size: "8m", nr_inodes: "256" })) {
      syscall("fsconfig", context, FSCONFIG_SET_STRING, key, value, 0);
    }
    syscall("fsconfig", context, FSCONFIG_CMD_CREATE, 0, 0, 0);
    return syscall("fsmount", context, FSMOUNT_CLOEXEC, 0);
  } finally {
    closeSync(context);
  }
}
