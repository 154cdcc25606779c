/** The guest's side of disks: finding one by its serial number, mounting it, letting go of it. */
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  MNT_DETACH,
  O_CLOEXEC,
  O_DIRECTORY,
  O_EXCL,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
} from "../linux/constants";
import { Assembler } from "../program/assembler";
import { close } from "../program/files";
import type { Program } from "../program/program";
import { howSize, openHow } from "./lower/open-how";

/** Where the guest mounts the disks that are root file systems. */
const disksPath = "/run/disks";
/** Disks of virtio are named by letters; more than these a machine has no room for. */
const letters = [..."abcdefghijklmnopqrstuvwxyz"];
/** The longest serial number (virtio specification, "Block Device"), and the longest device number with its newline. */
const longest = { serial: 20, dev: 16 };

/** A block device of the guest's. */
export interface GuestDisk {
  /** "vda" */
  name: string;
  major: number;
  minor: number;
}

/** Where the guest mounts a container's root file system that is a disk. */
export function diskPath(id: string): string {
  return `${disksPath}/${id}`;
}

/** Puts out a line for each disk there is: its name, its serial number, its device number. */
export function listDisks(): Program {
  const p = new Assembler();
  p.doing("look for the disks");
  const content = p.zeroed(32);
  for (const letter of letters) {
    const next = p.label();
    const missing = { accept: "any", otherwise: next } as const;
    const name = `vd${letter}`;
    const serial = p.value("openat", [AT_FDCWD, p.text(`/sys/block/${name}/serial`), O_RDONLY | O_CLOEXEC], missing);
    const size = p.value("read", [serial, content, longest.serial], missing);
    p.output(p.text(`${name} `), 4);
    p.output(content, size);
    p.output(p.text(" "), 1);
    const dev = p.value("openat", [AT_FDCWD, p.text(`/sys/block/${name}/dev`), O_RDONLY | O_CLOEXEC]);
    p.syscall("read", [dev, content, longest.dev], { into: size });
    p.output(content, size);
    close(p, serial, dev);
    p.release(size);
    p.place(next);
  }
  return p.assemble();
}

/** Finds a disk in what `listDisks` put out; the guest's numbers are believed no further than they are device numbers. */
export function findDisk(output: Uint8Array, serial: string): GuestDisk | undefined {
  for (const line of Buffer.from(output).toString("latin1").split("\n")) {
    const [, name = "", has, major, minor] = /^(vd[a-z]) (\S{0,20}) (\d{1,4}):(\d{1,7})$/.exec(line) ?? [];
    if (has === serial) return { name, major: Number(major), minor: Number(minor) };
  }
  return undefined;
}

/** A file system on a disk, as mount(2) takes it. */
export interface DiskFileSystem {
  type: string;
  /** MS_… */
  flags: number;
  /** Options of its own, with commas between. */
  data: string;
}

/** Mounts a disk as a container's root file system. */
export function mountDisk(id: string, { name }: GuestDisk, { type, flags, data }: DiskFileSystem): Program {
  const p = new Assembler();
  p.doing("make the place for the root file system's disk");
  for (const path of [disksPath, diskPath(id)]) {
    p.syscall("mkdirat", [AT_FDCWD, p.text(path), 0o700], { accept: ["EEXIST"] });
  }
  p.doing(`mount the root file system's disk (${type})`);
  const options = data === "" ? 0 : p.text(data);
  p.syscall("mount", [p.text(`/dev/${name}`), p.text(diskPath(id)), p.text(type), flags, options]);
  return p.assemble();
}

/**
 * Puts out the beginning of a file of a root file system that is a disk; nothing when it is not there. No link of it leads out.
 * @param most how many bytes at most
 */
export function readFromDisk(id: string, path: string, most: number): Program {
  const p = new Assembler();
  p.doing(`read ${path} of the root file system's disk`);
  const end = p.label();
  const missing = { accept: "any", otherwise: end } as const;
  const content = p.zeroed(most);
  const root = p.value("openat", [AT_FDCWD, p.text(diskPath(id)), O_PATH | O_DIRECTORY | O_CLOEXEC]);
  const how = openHow(p, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
  const file = p.value("openat2", [root, p.text(path), how, howSize], missing);
  const size = p.value("read", [file, content, most], missing);
  p.output(content, size);
  p.place(end);
  return p.assemble();
}

/** Asks for the disk for itself alone, which fails with EBUSY as long as it is mounted, in whatever namespace (open(2), O_EXCL). */
export function claimDisk({ name }: GuestDisk): Program {
  const p = new Assembler();
  p.doing(`wait for /dev/${name} to be let go`);
  p.syscall("openat", [AT_FDCWD, p.text(`/dev/${name}`), O_RDONLY | O_EXCL | O_CLOEXEC]);
  return p.assemble();
}

/** Lets go of a container's root file system that is a disk, and writes back what is held of it. */
export function unmountDisk(id: string): Program {
  const p = new Assembler();
  p.doing("let go of the root file system's disk");
  const path = p.text(diskPath(id));
  p.syscall("umount2", [path, MNT_DETACH], { accept: ["EINVAL", "ENOENT"] });
  p.syscall("unlinkat", [AT_FDCWD, path, AT_REMOVEDIR], { accept: ["ENOENT"] });
  p.syscall("sync", []);
  return p.assemble();
}
