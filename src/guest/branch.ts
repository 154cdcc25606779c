/** What makes a machine of its own of the copy of one in which a container runs. */
import { randomUUID } from "node:crypto";
import { dirname } from "node:path";
import {
  AT_FDCWD,
  CLONE_NEWNS,
  CLONE_NEWUTS,
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
  p.doing("call the container's cgroup by its new name");
  p.syscall("mkdirat", [AT_FDCWD, p.text(cgroupOf(container)), 0o755]);
  p.syscall("mount", [p.text(cgroupOf(of)), p.text(cgroupOf(container)), 0, MS_BIND, 0]);
  if (hiddenNic !== undefined) {
    // With its interface go the addresses and routes of the other machine.
    p.doing("take the other machine's network away");
    writeFile(p, "/sys/bus/virtio/drivers/virtio_net/unbind", hiddenNic, { accept: "any" });
  }
  p.doing("give the branch its host name");
  p.syscall("setns", [new Pidfd(init), CLONE_NEWUTS]);
  p.syscall("sethostname", [p.text(hostname), Buffer.byteLength(hostname)]);
  tell(p, { init, container, of });
  return p.assemble();
}

/** Writes the file by which the container's processes can tell, and one with a boot id of its own: where they can write files. */
function tell(p: Assembler, { init, container, of }: Pick<Branch, "init" | "container" | "of">): void {
  const text = `RUNV_BRANCH=${container}\nRUNV_BRANCH_OF=${of}\nRUNV_BRANCH_TIME=${new Date().toISOString()}\n`;
  p.doing("tell the container that it is a branch");
  p.syscall("setns", [new Pidfd(init), CLONE_NEWNS]);
  const end = p.label();
  const anyway = { accept: "any", otherwise: end } as const;
  for (const path of ["/run", dirname(branchFile)]) {
    p.syscall("mkdirat", [AT_FDCWD, p.text(path), 0o755], { accept: "any" });
  }
  for (const [path, content] of [
    [branchFile, text],
    [bootIdFile, `${randomUUID()}\n`],
  ] as const) {
    const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
    const file = p.value("openat", [AT_FDCWD, p.text(path), flags, 0o444], anyway);
    writeText(p, file, content, anyway);
    close(p, file);
  }
  // The kernel makes its own once.
  p.syscall("mount", [p.text(bootIdFile), p.text("/proc/sys/kernel/random/boot_id"), 0, MS_BIND, 0], anyway);
  p.place(end);
}
