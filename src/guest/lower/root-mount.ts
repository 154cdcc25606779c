/** The container's root file system, from its mount to its last attributes. */
import {
  AT_FDCWD,
  MNT_DETACH,
  MOUNT_ATTR_RDONLY,
  MS_BIND,
  MS_REC,
  MS_SLAVE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
} from "../../linux/constants";
import { propagationFlags } from "../../oci/mount-options";
import type { Assembler, Register } from "../../program/assembler";
import { close } from "../../program/files";
import { setAttributes, setPropagation } from "./mount-calls";
import { sortMountOptions } from "./mount-flags";
import { openInRoot } from "./root";

/**
 * Mounts the root file system where it can be pivoted to.
 * @param place a directory, which may be its own
 * @param inherited options that its mount has on the host: `nosuid`
 * @returns its descriptor
 */
export function lowerRoot(p: Assembler, rootfs: string, place: string, inherited: readonly string[]): Register {
  p.doing("mount the root file system");
  p.syscall("mount", [p.text("none"), p.text("/"), 0, MS_REC | MS_SLAVE, 0]);
  p.syscall("mount", [p.text(rootfs), p.text(place), 0, MS_BIND | MS_REC, 0]);
  const root = p.value("openat", [AT_FDCWD, p.text(place), O_PATH | O_DIRECTORY | O_CLOEXEC]);
  setAttributes(p, root, sortMountOptions(inherited).attributes, false);
  return root;
}

/** Makes the container's root the root, and lets go of the machine's (pivot_root(2), "pivot_root(".", ".")"). */
export function lowerPivot(p: Assembler, root: Register): void {
  p.doing("pivot to the root file system");
  p.syscall("fchdir", [root]);
  p.syscall("pivot_root", [p.text("."), p.text(".")]);
  p.syscall("umount2", [p.text("."), MNT_DETACH]);
  p.syscall("chdir", [p.text("/")]);
}

/** Sets the propagation. Last of all: a shared root cannot be pivoted to, and what is unbindable cannot be made read-only in parts. */
export function lowerPropagation(p: Assembler, root: Register, propagation: string | undefined): void {
  if (propagation === undefined) return;
  p.doing(`make the root file system ${propagation}`);
  const mount = openInRoot(p, root, "/", O_PATH | O_DIRECTORY);
  setPropagation(p, mount, propagationFlags[propagation] ?? 0);
  close(p, mount);
}

/** Makes the mount of the root read-only; those below it stay as they are. */
export function lowerReadonlyRoot(p: Assembler, root: Register): void {
  p.doing("make the root file system read-only");
  const mount = openInRoot(p, root, "/", O_PATH | O_DIRECTORY);
  setAttributes(p, mount, { set: MOUNT_ATTR_RDONLY, clear: 0 }, false);
  close(p, mount);
}
