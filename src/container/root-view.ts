/**
 * What is seen of the host through a shim: clients enter the mount namespace of the container's process to copy files in and out
 * (podman cp). The shim's is one of its own, in which there is the container's root file system with its bind mounts, and nothing else.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import {
  AT_FDCWD,
  MNT_DETACH,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_PRIVATE,
  MS_REC,
  O_CLOEXEC,
  O_CREAT,
  O_PATH,
  O_TRUNC,
  O_WRONLY,
  RESOLVE_IN_ROOT,
} from "../linux/constants";
import { syscall } from "../linux/local";
import { makeMountNamespace } from "../linux/namespaces";
import { openTree } from "../share/tree";

/** What a shim is to show. */
export interface RootView {
  rootfs: string;
  binds: { source: string; destination: string; recursive: boolean }[];
}

/**
 * Makes it this process's root: no path of the host means anything to this thread afterwards.
 * @throws SystemError
 */
export function enterRootView({ rootfs, binds }: RootView): void {
  const root = openTree(rootfs, true);
  const trees = binds.map(({ source, destination, recursive }) => ({ tree: openTree(source, recursive), destination }));
  makeMountNamespace(MS_PRIVATE);
  syscall("move_mount", root, "", AT_FDCWD, rootfs, MOVE_MOUNT_F_EMPTY_PATH);
  syscall("fchdir", root);
  // Neither may the new root be shared with anybody (pivot_root(2)).
  syscall("mount", "none", ".", 0, MS_REC | MS_PRIVATE, 0);
  syscall("pivot_root", ".", ".");
  syscall("umount2", ".", MNT_DETACH);
  syscall("chdir", "/");
  for (const { tree, destination } of trees) {
    attachBelow(root, tree, destination);
    closeSync(tree);
  }
  closeSync(root);
}

/** Attaches a tree where a path leads to in a root. What is not there, because a tmpfs of the guest covers it, is left out. */
function attachBelow(root: number, tree: number, path: string): void {
  const how = new BigUint64Array([BigInt(O_PATH | O_CLOEXEC), 0n, BigInt(RESOLVE_IN_ROOT)]);
  let place: number | undefined;
  try {
    place = syscall("openat2", root, path, new Uint8Array(how.buffer), 24);
    syscall("move_mount", tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  } catch {
    // Nothing of the container's is shown that is not there.
  } finally {
    if (place !== undefined) closeSync(place);
  }
}

/** A directory in which files can be replaced whatever this process's root has become. */
export class HeldDirectory {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, "r");
  }

  /** Replaces a file, so that a reader sees the old or the new. @throws SystemError */
  replace(name: string, content: string): void {
    const next = `${name}.new`;
    const file = syscall("openat", this.#fd, next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600);
    try {
      writeSync(file, content);
    } finally {
      closeSync(file);
    }
    syscall("renameat2", this.#fd, next, this.#fd, name, 0);
  }
}
