/** File systems in the guest's memory that containers of its share: what their clients mounted for that is on the host. */
import { AT_FDCWD, AT_REMOVEDIR, MNT_DETACH, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../linux/constants";
import { Assembler } from "../program/assembler";
import { close } from "../program/files";
import type { Program } from "../program/program";
import { copyTree } from "./lower/copy-tree";
import { attach, newFileSystem } from "./lower/mount-calls";
import { sortMountOptions } from "./lower/mount-flags";
import { memoryPath } from "./places";

/** What such a file system is to be. */
export interface SharedMemory {
  /** One file name: containers that know it by the same have the same. */
  name: string;
  /** As in config.json: `size=64m`, `nosuid`. */
  options: readonly string[];
}

/** Where the guest has it. */
export function memoryPlace(name: string): string {
  return `${memoryPath}/${name}`;
}

/**
 * Makes a file system, and puts into it what is in a directory of the guest's already.
 * @param from the directory's path
 */
export function makeMemory({ name, options }: SharedMemory, from: string): Program {
  const p = new Assembler();
  p.doing("make memory that containers share");
  for (const path of [memoryPath, memoryPlace(name)]) {
    p.syscall("mkdirat", [AT_FDCWD, p.text(path), 0o700], { accept: ["EEXIST"] });
  }
  const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  const place = p.value("openat", [AT_FDCWD, p.text(memoryPlace(name)), flags]);
  const given = p.value("openat", [AT_FDCWD, p.text(from), flags]);
  const sorted = sortMountOptions(options);
  const tree = newFileSystem(p, "tmpfs", "shm", sorted);
  copyTree(p, given, tree, from);
  close(p, given);
  p.doing("make memory that containers share");
  attach(p, tree, place, sorted);
  return p.assemble();
}

/** Takes one away; who has it mounted still has it. */
export function removeMemory(name: string): Program {
  const p = new Assembler();
  p.doing("take memory away that containers shared");
  p.syscall("umount2", [p.text(memoryPlace(name)), MNT_DETACH]);
  p.syscall("unlinkat", [AT_FDCWD, p.text(memoryPlace(name)), AT_REMOVEDIR]);
  return p.assemble();
}
