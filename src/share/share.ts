/**
 * A share: the directory of the host that reaches a guest, in a mount namespace of this process's own.
 *
 * Whoever serves it, and so the guest, may be hostile. Its top is a small tmpfs that is mounted twice: read-only where it is served, and writable
 * where nobody but this process has it, as a descriptor. So all names in it are this process's, and it resolves no others: what is attached is
 * never walked into.
 */
import { closeSync, fstatSync, mkdirSync, readdirSync } from "node:fs";
import { openBeneath, pathOf } from "../linux/beneath";
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  MNT_DETACH,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
  MS_SHARED,
  MS_SLAVE,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_WRONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../linux/constants";
import { SystemError, syscall } from "../linux/local";
import { makeMountNamespace } from "../linux/namespaces";
import { changeAttributes } from "./tree";

const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
/** Enough for mount points of some hundred containers; nothing else is ever in it. */
const limits = "mode=700,size=1m,nr_inodes=16k";

export class Share {
  /** The mount that is served. */
  readonly #served: number;
  /** The same file system, writable. It is in no mount namespace. */
  readonly #writable: number;

  /**
   * Gives this process a mount namespace of its own, in which mounts of the host still arrive, and makes `directory` a share in it. It all
   * vanishes with the last process in the namespace, so a crash leaves no mount behind.
   * @throws SystemError
   */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true });
    makeMountNamespace(MS_SLAVE);
    syscall("mount", "share", directory, "tmpfs", flags, limits);
    this.#writable = syscall("open_tree", AT_FDCWD, directory, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    syscall("mount", "none", directory, 0, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, 0);
    // Who serves it may live in a namespace below this one: what is attached later must reach it.
    syscall("mount", "none", directory, 0, MS_SHARED, 0);
    this.#served = syscall("open_tree", AT_FDCWD, directory, OPEN_TREE_CLOEXEC);
  }

  /**
   * Attaches a detached tree.
   * @param path two names: whose it is, and its own, which must be new
   * @param directory what the tree's root is, if not a file
   * @throws SystemError; nothing is at `path` then
   */
  attach(tree: number, path: string, directory: boolean): void {
    const [owner, name] = namesOf(path);
    accepting("EEXIST", () => syscall("mkdirat", this.#writable, owner, 0o700));
    const parent = openBeneath(this.#writable, owner, O_DIRECTORY);
    try {
      if (directory) syscall("mkdirat", parent, name, 0o700);
      else closeSync(syscall("openat", parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600));
      try {
        this.#mount(tree, path);
      } catch (error) {
        syscall("unlinkat", parent, name, directory ? AT_REMOVEDIR : 0);
        throw error;
      }
    } finally {
      closeSync(parent);
    }
  }

  #mount(tree: number, path: string): void {
    const place = openBeneath(this.#served, path);
    try {
      syscall("move_mount", tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    } finally {
      closeSync(place);
    }
  }

  /** Makes the root of an attached tree read-only in this namespace: for whoever takes it from here, and not for those who have. @throws SystemError */
  seal(path: string): void {
    const tree = openBeneath(this.#served, path);
    try {
      changeAttributes(tree, { set: MOUNT_ATTR_RDONLY, clear: 0 }, false);
    } finally {
      closeSync(tree);
    }
  }

  /** The number of its file system, as mountinfo has it (proc(5)). */
  get device(): string {
    const { dev } = fstatSync(this.#served);
    // sys/sysmacros.h
    return `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
  }

  /** Detaches all trees of an owner, if there are any, and removes their mount points. */
  detach(owner: string): void {
    const parent = accepting("ENOENT", () => openBeneath(this.#writable, owner, O_DIRECTORY));
    if (parent === undefined) return;
    try {
      for (const entry of readdirSync(pathOf(parent), { withFileTypes: true })) {
        this.#detachOne(`${owner}/${entry.name}`);
        syscall("unlinkat", parent, entry.name, entry.isDirectory() ? AT_REMOVEDIR : 0);
      }
      syscall("unlinkat", this.#writable, owner, AT_REMOVEDIR);
    } finally {
      closeSync(parent);
    }
  }

  #detachOne(path: string): void {
    const tree = openBeneath(this.#served, path);
    try {
      detach(tree);
    } finally {
      closeSync(tree);
    }
  }

  /** Detaches the share itself with all that is attached. */
  close(): void {
    detach(this.#served);
    closeSync(this.#served);
    closeSync(this.#writable);
  }
}

/** Detaches what is mounted at a descriptor, and from the host what is mounted below it: there it stays. */
function detach(tree: number): void {
  // Nothing is mounted there: that is as good.
  accepting("EINVAL", () => syscall("mount", "none", pathOf(tree), 0, MS_REC | MS_PRIVATE, 0));
  accepting("EINVAL", () => syscall("umount2", pathOf(tree), MNT_DETACH));
}

function namesOf(path: string): [owner: string, name: string] {
  const [owner = "", name = "", ...rest] = path.split("/");
  const isName = (text: string) => text !== "" && text !== "." && text !== "..";
  if (rest.length > 0 || !isName(owner) || !isName(name)) throw new Error(`no place in a share: ${path}`);
  return [owner, name];
}

function accepting<T>(code: string, action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof SystemError && error.code === code) return undefined;
    throw error;
  }
}
