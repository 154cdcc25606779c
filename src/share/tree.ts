/**
 * Mount trees on their way into a share: a command takes one of what it sees (open_tree(2)), the monitor fetches the descriptor
 * (pidfd_getfd(2)) and attaches it below the share in its own mount namespace (move_mount(2)). So a volume
 * reaches the guest from whatever mount namespace the command was called in, and no mount ever shows on the host.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  MNT_DETACH,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_PRIVATE,
  MS_REC,
  MS_SLAVE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../linux/constants";
import { SystemError, syscall } from "../linux/local";
import { takeDescriptor } from "../linux/take-descriptor";

/**
 * Takes a copy of the mount tree at a path.
 * @param recursive with what is mounted below it
 * @returns its descriptor
 * @throws SystemError
 */
export function openTree(path: string, recursive: boolean): number {
  return syscall("open_tree", AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));
}

/**
 * Attaches the tree that another process holds as descriptor `fd` at `target`, which is made for it.
 * @throws SystemError; nothing is at `target` then
 */
export function attachTree(pid: number, fd: number, target: string, directory: boolean): void {
  const tree = takeDescriptor(pid, fd);
  try {
    restrict(tree);
    mkdirSync(directory ? target : dirname(target), { recursive: true });
    if (!directory) writeFileSync(target, "");
    try {
      syscall("move_mount", tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
    } catch (error) {
      removePoint(target, directory);
      throw error;
    }
  } finally {
    syscall("close", tree);
  }
}

/**
 * Who serves the share may make device nodes in it, for guests do, but open none of them, and run nothing. The guest's kernel
 * decides for itself what its device nodes are and what may be executed. And what is mounted on the host arrives in the tree, but when the
 * tree is detached, with all that is mounted below it, nothing is unmounted on the host.
 */
function restrict(tree: number): void {
  const attributes = new BigUint64Array(4); // struct mount_attr: set, clear, propagation, user namespace
  attributes[0] = BigInt(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  attributes[2] = BigInt(MS_SLAVE);
  const bytes = new Uint8Array(attributes.buffer);
  try {
    syscall("mount_setattr", tree, "", AT_EMPTY_PATH | AT_RECURSIVE, bytes, bytes.length);
  } catch (error) {
    // Linux before 5.12 cannot do it to a whole tree at once.
    if (!(error instanceof SystemError) || error.code !== "ENOSYS") throw error;
  }
}

/** Detaches the tree at `target`. @throws SystemError */
export function detachTree(target: string): void {
  // Before Linux 5.12 the tree is still the host's peer.
  syscall("mount", "none", target, 0, MS_REC | MS_PRIVATE, 0);
  syscall("umount2", target, MNT_DETACH);
}

/** Detaches the trees in a directory, if it is there, and removes it with their mount points. Nothing below them is followed. */
export function detachTrees(directory: string): void {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = `${directory}/${entry.name}`;
    detachTree(path);
    removePoint(path, entry.isDirectory());
  }
  rmdirSync(directory);
}

function removePoint(path: string, directory: boolean): void {
  if (directory) rmdirSync(path);
  else unlinkSync(path);
}
