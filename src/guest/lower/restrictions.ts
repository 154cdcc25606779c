/** Paths that the container must not see or not change (config-linux.md, "Masked Paths", "Readonly Paths"). */
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  MOUNT_ATTR_RDONLY,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from "../../linux/constants";
import { errnoOf } from "../../linux/errno";
import type { Assembler, Register } from "../../program/assembler";
import { close } from "../../program/files";
import { moveMount, newFileSystem, setAttributes } from "./mount-calls";
import { sortMountOptions } from "./mount-flags";
import { openInRoot } from "./root";
import { statusOf, unlessNull } from "./status";

const readOnly = { set: MOUNT_ATTR_RDONLY, clear: 0 };
const clone = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

/**
 * Hides paths, each once: a file behind /dev/null, a directory behind an empty read-only tmpfs, which is one for all of them. Those that are
 * missing stay so.
 */
export function lowerMaskedPaths(p: Assembler, root: Register, paths: readonly string[]): void {
  if (paths.length === 0) return;
  const [empty, nothing] = [p.register(), p.register()];
  for (const one of [empty, nothing]) p.set(one, none);
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
    openNull(p, root, nothing);
    p.doing(`mask ${path}`);
    const tree = p.value("open_tree", [nothing, p.text(""), clone | AT_EMPTY_PATH]);
    moveMount(p, tree, target);
    close(p, tree);
    p.place(done);
    close(p, target);
    p.place(missing);
  }
  for (const one of [empty, nothing]) {
    const unused = p.label();
    p.jumpIf(one, "=", none, unused);
    p.syscall("close", [one]);
    p.place(unused);
    p.release(one);
  }
}

/**
 * Opens the container's /dev/null, unless it is open. The image or a volume may have put something else there: a mask would then be a way to whatever
 * that is (CVE-2025-31133).
 */
function openNull(p: Assembler, root: Register, file: Register): void {
  const [other, good] = [p.label(), p.label()];
  p.jumpIf(file, "≠", none, good);
  openInRoot(p, root, "/dev/null", O_PATH | O_NOFOLLOW, { into: file });
  unlessNull(p, statusOf(p, file), other);
  p.jump(good);
  p.place(other);
  p.doing("mask paths: /dev/null of the container is not the null device", { complete: true, code: "MASK_REFUSED" });
  p.fail(errnoOf("ENODEV"));
  p.place(good);
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
