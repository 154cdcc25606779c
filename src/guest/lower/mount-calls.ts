/** The new mount interface, as pieces of programs: fsopen(2), move_mount(2), mount_setattr(2). */
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_REC,
} from "../../linux/constants";
import type { Assembler, Operand, Register } from "../../program/assembler";
import { close } from "../../program/files";
import type { AttributeChange, MountOptions } from "./mount-flags";

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

/**
 * Gives a detached mount its attributes and puts it on its target.
 * @param fill puts on it what belongs below it, which its recursive options are for too
 */
export function attach(
  p: Assembler,
  tree: Register,
  target: Register,
  options: MountOptions,
  fill: () => void = () => {},
): void {
  setAttributes(p, tree, options.attributes, false);
  moveMount(p, tree, target);
  fill();
  setAttributes(p, tree, options.recursiveAttributes, true);
  for (const propagation of options.propagation) setPropagation(p, tree, propagation);
  close(p, tree, target);
}
