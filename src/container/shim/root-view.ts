/**
 * What is seen of the host through a shim: clients enter the mount namespace of the container's process to copy files in and out
 * (podman cp). The shim's is one of its own, in which there is the container's root file system with its bind mounts, and nothing else.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { openInRoot } from "../../linux/beneath";
import {
  AT_FDCWD,
  MNT_DETACH,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_PRIVATE,
  MS_SLAVE,
  O_CLOEXEC,
  O_CREAT,
  O_TRUNC,
  O_WRONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../linux/constants";
import { syscall } from "../../linux/local";
import { makeMountNamespace } from "../../linux/namespaces";
import { takeDescriptor } from "../../linux/take-descriptor";
import { mapIds } from "../../share/id-map";
import { changeAttributes, emptyTree, openTree, type TreeAttributes } from "../../share/tree";

/** What a shim is to show. */
export interface RootView {
  /** The process whose descriptors the places are. */
  holder: number;
  root: number;
  /** The root file system can only be read. */
  readonly: boolean;
  binds: {
    place: number;
    destination: string;
    recursive: boolean;
    attributes: TreeAttributes;
    /** How its ids are mapped: by a user namespace. */
    idMap?: { namespace?: number; recursive: boolean } | undefined;
  }[];
}

const readOnly = { set: MOUNT_ATTR_RDONLY, clear: 0 };

/**
 * Makes it what this process's mount namespace has at its root: who enters that finds it. This process itself stays below, in a root in which there is
 * /proc and nothing else, so that no path that it or its language's runtime opens is one of the image's, which may have anything there, and
 * no path of the host means anything to this thread afterwards.
 * @throws SystemError
 */
export function enterRootView({ holder, root: rootPlace, readonly, binds }: RootView): void {
  const root = take(holder, rootPlace, true);
  if (readonly) changeAttributes(root, readOnly, false);
  const trees = binds.map(({ place, recursive, attributes, idMap, destination }) => {
    const tree = take(holder, place, recursive);
    if (idMap?.namespace !== undefined) {
      const namespace = takeDescriptor(holder, idMap.namespace);
      mapIds(tree, namespace, idMap.recursive);
      closeSync(namespace);
    }
    changeAttributes(tree, attributes.root, false);
    changeAttributes(tree, attributes.all, true);
    return { tree, destination };
  });
  const proc = syscall("open_tree", AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  const own = emptyTree();
  syscall("mkdirat", own, "proc", 0o555);
  makeMountNamespace(MS_PRIVATE);
  syscall("move_mount", own, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH);
  syscall("fchdir", own);
  syscall("pivot_root", ".", ".");
  syscall("umount2", ".", MNT_DETACH);
  syscall("chdir", "/");
  syscall("move_mount", proc, "", own, "proc", MOVE_MOUNT_F_EMPTY_PATH);
  changeAttributes(own, readOnly, false);
  attach(root, own);
  for (const { tree, destination } of trees) attachBelow(root, tree, destination);
  for (const fd of [root, own, proc, ...trees.map(({ tree }) => tree)]) closeSync(fd);
}

/** A tree of a place that another process holds. What the host mounts and unmounts there is followed, and not the other way. */
function take(holder: number, place: number, recursive: boolean): number {
  const held = takeDescriptor(holder, place);
  try {
    const tree = openTree(held, recursive);
    changeAttributes(tree, { set: 0, clear: 0 }, true, MS_SLAVE);
    return tree;
  } finally {
    closeSync(held);
  }
}

function attach(tree: number, place: number): void {
  syscall("move_mount", tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/**
 * Attaches a tree where a path leads to in a root; what is there is named and not opened. What is not there, because a tmpfs of the guest covers it,
 * is left out.
 */
function attachBelow(root: number, tree: number, path: string): void {
  let place: number | undefined;
  try {
    place = openInRoot(root, path);
    attach(tree, place);
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
