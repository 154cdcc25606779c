/** Paths that the container must not see or not change (config-linux.md, "Masked Paths", "Readonly Paths"). */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  MOUNT_ATTR_RDONLY,
  O_DIRECTORY,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../linux/constants";
import type { Assembler, Register } from "../../program/assembler";
import { close } from "../../program/files";
import { moveMount, newFileSystem, setAttributes } from "./mount-calls";
import { sortMountOptions } from "./mount-flags";
import { openInRoot } from "./root";

const readOnly = { set: MOUNT_ATTR_RDONLY, clear: 0 };
const clone = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

/**
 * Hides paths, each once: a file behind /dev/null, a directory behind an empty read-only tmpfs, which is one for all of them. Those that are
 * missing stay so.
 */
export function lowerMaskedPaths(p: Assembler, root: Register, paths: readonly string[]): void {
  if (paths.length === 0) return;
  const empty = p.register();
  p.set(empty, none);
  for (const path of new Set(paths)) {
    p.doing(`mask ${path}`);
    const done = p.label();
    const file = p.label();
    const missing = p.label();
    const target = openInRoot(p, root, path, O_PATH, { accept: ["ENOENT", "ENOTDIR"], otherwise: missing });
    const directory = openInRoot(p, root, path, O_PATH | O_DIRECTORY, { accept: ["ENOTDIR"], otherwise: file });
    close(p, directory);
    hideDirectory(p, target, empty, () => openInRoot(p, root, path, O_PATH | O_DIRECTORY, { into: empty }));
    p.jump(done);
    p.place(file);
    const nothing = p.value("open_tree", [AT_FDCWD, p.text("/dev/null"), clone]);
    moveMount(p, nothing, target);
    close(p, nothing);
    p.place(done);
    close(p, target);
    p.place(missing);
  }
  const unused = p.label();
  p.jumpIf(empty, "=", none, unused);
  p.syscall("close", [empty]);
  p.place(unused);
  p.release(empty);
}

/** No descriptor. */
const none = -1;

/** @param empty the mount that hides the first directory; `open` puts it there, since a mount must be attached to be copied */
function hideDirectory(p: Assembler, target: Register, empty: Register, open: () => void): void {
  const another = p.label();
  const hidden = p.label();
  p.jumpIf(empty, "≠", none, another);
  const first = newFileSystem(p, "tmpfs", "tmpfs", sortMountOptions(["size=0", "nr_inodes=2"]));
  setAttributes(p, first, readOnly, false);
  moveMount(p, first, target);
  close(p, first);
  open();
  p.jump(hidden);
  p.place(another);
  const copy = p.value("open_tree", [empty, p.text(""), clone | AT_EMPTY_PATH]);
  moveMount(p, copy, target);
  close(p, copy);
  p.place(hidden);
}

/** Makes paths, with all that is mounted below them, read-only. Those that are missing stay so. */
export function lowerReadonlyPaths(p: Assembler, root: Register, paths: readonly string[]): void {
  for (const path of paths) {
    p.doing(`make ${path} read-only`);
    const missing = p.label();
    const target = openInRoot(p, root, path, O_PATH, { accept: ["ENOENT", "ENOTDIR"], otherwise: missing });
    const tree = p.value("open_tree", [target, p.text(""), clone | AT_EMPTY_PATH | AT_RECURSIVE]);
    setAttributes(p, tree, readOnly, true);
    moveMount(p, tree, target);
    close(p, tree, target);
    p.place(missing);
  }
}
