/** What makes a machine of its own of the copy of one in which a container runs. */
import { dirname } from "node:path";
import {
  AT_FDCWD,
  CLONE_NEWNS,
  CLONE_NEWUTS,
  MNT_DETACH,
  MS_BIND,
  O_CLOEXEC,
  O_CREAT,
  O_NOFOLLOW,
  O_TRUNC,
  O_WRONLY,
} from "../linux/constants";
import { Assembler, Pidfd } from "../program/assembler";
import { close, writeFile, writeText } from "../program/files";
import type { Program } from "../program/program";
import { cgroupOf } from "./lower/cgroup";
import { lowerWake } from "./wake";

export interface Branch {
  /** The handle of the container's first process. */
  init: number;
  /** What the container is called from now on, and in the machine that this is a copy of. */
  container: string;
  of: string;
  hostname: string;
  /** The guest's name of the device of its first network interface, which it may see or not. */
  hiddenNic: string | undefined;
}

/** Where a container finds that it is a branch, and what covers the boot id in its /proc. */
const [branchFile, bootIdFile] = ["/run/runv/branch", "/run/runv/boot_id"];

/** Has a copy have random numbers, a time, a name and, from then on, a network of its own. Its container is still frozen. */
export function becomeBranch({ init, container, of, hostname, hiddenNic }: Branch): Program {
  const p = new Assembler();
  lowerWake(p);
  lowerCgroupName(p, container, of);
  lowerNoNetwork(p, hiddenNic);
  p.doing("give the branch its host name");
  p.syscall("setns", [new Pidfd(init), CLONE_NEWUTS]);
  p.syscall("sethostname", [p.text(hostname), Buffer.byteLength(hostname)]);
  tell(p, { init, container, of });
  return p.assemble();
}

/** Has the cgroup of the container `of` be found by another container's name. */
export function lowerCgroupName(p: Assembler, container: string, of: string): void {
  p.doing("call the container's cgroup by its new name");
  p.syscall("mkdirat", [AT_FDCWD, p.text(cgroupOf(container)), 0o755], { accept: ["EEXIST"] });
  p.syscall("mount", [p.text(cgroupOf(of)), p.text(cgroupOf(container)), 0, MS_BIND, 0]);
}

/** Takes the first network interface of the other machine away: with it go its addresses and routes. */
export function lowerNoNetwork(p: Assembler, hiddenNic: string | undefined): void {
  if (hiddenNic === undefined) return;
  p.doing("take the other machine's network away");
  writeFile(p, "/sys/bus/virtio/drivers/virtio_net/unbind", hiddenNic, { accept: "any" });
}

/** Writes the file by which the container's processes can tell, and one with a boot id of its own: where they can write files. */
function tell(p: Assembler, { init, container, of }: Pick<Branch, "init" | "container" | "of">): void {
  const text = `RUNV_BRANCH=${container}\nRUNV_BRANCH_OF=${of}\nRUNV_BRANCH_TIME=${new Date().toISOString()}\n`;
  p.doing("tell the container that it is a branch");
  lowerFiles(p, init, [[branchFile, text], bootId()]);
}

/** Gives a container another boot id, where it can write files. */
export function lowerBootId(p: Assembler, init: number): void {
  p.doing("give the container another boot id");
  lowerFiles(p, init, [bootId()]);
}

function bootId(): readonly [path: string, content: string] {
  return [bootIdFile, `${crypto.randomUUID()}\n`];
}

/** Writes files as the container sees them, the last of which covers the boot id. */
function lowerFiles(p: Assembler, init: number, files: readonly (readonly [path: string, content: string])[]): void {
  p.syscall("setns", [new Pidfd(init), CLONE_NEWNS]);
  const end = p.label();
  const anyway = { accept: "any", otherwise: end } as const;
  for (const path of ["/run", dirname(branchFile)]) {
    p.syscall("mkdirat", [AT_FDCWD, p.text(path), 0o755], { accept: "any" });
  }
  for (const [path, content] of files) {
    const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
    const file = p.value("openat", [AT_FDCWD, p.text(path), flags, 0o444], anyway);
    writeText(p, file, content, anyway);
    close(p, file);
  }
  // The kernel makes its own once; a copy of a copy has one that covers it.
  p.syscall("umount2", [p.text("/proc/sys/kernel/random/boot_id"), MNT_DETACH], { accept: "any" });
  p.syscall("mount", [p.text(bootIdFile), p.text("/proc/sys/kernel/random/boot_id"), 0, MS_BIND, 0], anyway);
  p.place(end);
}
