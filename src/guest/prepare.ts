import { AT_FDCWD, FIFREEZE, MS_NODEV, MS_NOEXEC, MS_NOSUID, O_CLOEXEC, O_RDONLY } from "../linux/constants";
import { Assembler, type Register } from "../program/assembler";
import { close, tryToWrite, writeFile } from "../program/files";
import type { Program } from "../program/program";
import { repeatedly } from "../program/repeat";
import { lowerUsualFilters } from "./lower/device-filter";
import { cgroupPath, rootPath, sharePath } from "./places";
import { lowerClock, lowerWake } from "./wake";

/** Controllers that containers may be limited by; a kernel without one does not have its files. */
const controllers = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"];

/**
 * What wakes a guest that has nothing to do, below /proc/sys, and is off: memory is put together ahead of need twice a second, and each processor
 * asked every four seconds whether it is stuck, which on a busy host it only seems to be. Of a hundred guests that is heard.
 */
const restless = ["vm/compaction_proactiveness", "kernel/watchdog"];

/**
 * A choice of the scheduler's (kernel/sched/features.h), which Linux 7.2 has made: a timer is set at each switch to a process, for the moment at which
 * its time is over. An emulated machine's timer is set by another thread of QEMU's. Without it, as ever before, the next tick ends that time.
 */
const timerAtEachSwitch = "HRTICK";

/** Loads modules, files of the initrd, in this order. One that the kernel has already is left alone. */
export function loadModules(paths: readonly string[]): Program {
  const p = new Assembler();
  for (const path of paths) {
    p.doing(`load the module ${path}`);
    const fd = p.value("openat", [AT_FDCWD, p.text(path), O_RDONLY | O_CLOEXEC]);
    p.syscall("finit_module", [fd, p.text(""), 0], { accept: ["EEXIST"] });
    close(p, fd);
  }
  return p.assemble();
}

/** Makes a guest ready for containers, as far as all are alike: cgroups with their controllers, places to mount on, device filters. */
export function prepareGuest(): Program {
  const p = new Assembler();
  const secure = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  p.doing("mount the guest's cgroup hierarchy");
  p.syscall("mount", [p.text("cgroup2"), p.text(cgroupPath), p.text("cgroup2"), secure, p.text("nsdelegate")]);
  for (const controller of controllers) {
    p.doing(`enable the cgroup controller ${controller}`);
    writeFile(p, `${cgroupPath}/cgroup.subtree_control`, `+${controller}`, { accept: "any" });
  }
  p.doing("make the places where a container's root and the share are mounted");
  for (const path of [sharePath, rootPath]) {
    p.syscall("mkdirat", [AT_FDCWD, p.text(path), 0o700], { accept: ["EEXIST"] });
  }
  for (const setting of restless) {
    p.doing(`turn off ${setting}`);
    tryToWrite(p, `/proc/sys/${setting}`, "0");
  }
  p.doing("have the scheduler go by its ticks");
  // Mounted where the share will be. A kernel may not have that file system, or not let anybody write to it.
  p.syscall("mount", [p.text("debugfs"), p.text(sharePath), p.text("debugfs"), secure, 0], { accept: "any" });
  tryToWrite(p, `${sharePath}/sched/features`, `NO_${timerAtEachSwitch}`);
  p.syscall("umount2", [p.text(sharePath), 0], { accept: "any" });
  lowerUsualFilters(p);
  return p.assemble();
}

/**
 * The least piece of free memory that the guest tells of, as a power of two of pages: 128 KiB. Linux tells of none as long as 32 such pieces are
 * not free; its own choice are pieces of 2 MiB, and a small guest never has 64 MiB free.
 */
const reportedOrder = 5;

/** Has a guest with a balloon tell the host of small pieces of free memory too. Its kernel may know of no such choice (before Linux 5.14). */
export function reportFreePages(): Program {
  const p = new Assembler();
  p.doing("choose which free memory the host is told of");
  tryToWrite(p, "/sys/module/page_reporting/parameters/page_reporting_order", String(reportedOrder));
  return p.assemble();
}

/** What a guest mounts of the host, and its own name. */
export interface Host {
  /** The host's: a container without a name of its own sees it, as under runc. */
  name: string;
  /** The name by which the share is mounted. */
  tag: string;
  /** Its file system's type and options, as mount(8) has them; whether its device may come a little later. */
  share: { type: string; options: string; late?: boolean };
}

/** Mounts what the host shares, and takes the host's name and time: what a machine boots with is good to a second. */
export function joinHost(host: Host): Program {
  const p = new Assembler();
  lowerClock(p);
  lowerJoin(p, host);
  return p.assemble();
}

/** What a clone does first: it becomes a machine of its own, and joins the host. */
export function wakeAndJoin(host: Host): Program {
  const p = new Assembler();
  lowerWake(p);
  lowerJoin(p, host);
  return p.assemble();
}

function lowerJoin(p: Assembler, { name, tag, share: { type, options, late } }: Host): void {
  p.doing("take the host's name");
  p.syscall("sethostname", [p.text(name), Buffer.byteLength(name)]);
  p.doing(`mount the host's share (${type})`);
  const mount = [p.text(tag), p.text(sharePath), p.text(type), 0, p.text(options)];
  if (late === true) {
    // As long as there is no such tag.
    repeatedly(p, (again) => p.syscall("mount", mount, { accept: ["EINVAL"], otherwise: again }));
  } else p.syscall("mount", mount);
}

/**
 * Lets go of the host's share, so that it can be mounted anew, which is tried: who has just ended may still hold it for a moment, in its mount
 * namespace too.
 */
export function leaveHost({ tag, share: { type, options } }: Host): Program {
  const p = new Assembler();
  const unmount = () =>
    repeatedly(p, (again) => p.syscall("umount2", [p.text(sharePath), 0], { accept: ["EBUSY"], otherwise: again }));
  const mount = [p.text(tag), p.text(sharePath), p.text(type), 0, p.text(options)];
  p.doing("unmount the host's share");
  unmount();
  p.doing("mount the host's share anew");
  repeatedly(p, (again) => p.syscall("mount", mount, { accept: ["EBUSY", "ENOENT"], otherwise: again }));
  unmount();
  return p.assemble();
}

/** Lets go of the host's share; who has just ended may still hold it for a moment. */
export function unmountShare(): Program {
  const p = new Assembler();
  p.doing("unmount the host's share");
  repeatedly(p, (again) => p.syscall("umount2", [p.text(sharePath), 0], { accept: ["EBUSY"], otherwise: again }));
  return p.assemble();
}

/** Mounts it again. */
export function mountShare({ tag, share: { type, options } }: Host): Program {
  const p = new Assembler();
  p.doing("mount the host's share again");
  const mount = [p.text(tag), p.text(sharePath), p.text(type), 0, p.text(options)];
  repeatedly(p, (again) => p.syscall("mount", mount, { accept: ["EBUSY", "ENOENT"], otherwise: again }));
  return p.assemble();
}

/** Has the guest write back what it holds of the share, to the host, which need not write it to its disks. */
export function syncShare(): Program {
  const p = new Assembler();
  lowerSyncShare(p);
  return p.assemble();
}

/** The same as a part of a program. */
export function lowerSyncShare(p: Assembler): void {
  p.doing("write back the share");
  const share = p.value("openat", [AT_FDCWD, p.text(sharePath), O_RDONLY | O_CLOEXEC]);
  flushShare(p, share);
  p.syscall("syncfs", [share]);
  close(p, share);
}

/**
 * Has the guest write back all that it holds, of whatever file systems, before it is ended.
 * @param frozen where file systems are mounted that are to be left as if they had been unmounted, whoever uses them still: FIFREEZE of linux/fs.h
 *   empties their journals, which nobody could play back who has them to read only
 */
export function syncAll(frozen: readonly string[] = []): Program {
  const p = new Assembler();
  p.doing("write back the share and the disks");
  const share = p.value("openat", [AT_FDCWD, p.text(sharePath), O_RDONLY | O_CLOEXEC]);
  flushShare(p, share);
  p.syscall("sync", []);
  for (const path of frozen) {
    const next = p.label();
    const root = p.value("openat", [AT_FDCWD, p.text(path), O_RDONLY | O_CLOEXEC], { accept: "any", otherwise: next });
    p.syscall("ioctl", [root, FIFREEZE, 0], { accept: "any" });
    close(p, root);
    p.place(next);
  }
  return p.assemble();
}

/** What the server of the share holds of it. Their disks are the host's business. */
function flushShare(p: Assembler, share: Register): void {
  p.syscall("fgetxattr", [share, p.text("trusted.runv.flush"), 0, 0], { accept: "any" });
}
