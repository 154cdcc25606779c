/** What `runv check` says of the host itself. */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { freemem } from "node:os";
import { SystemError, syscall } from "../linux/local";
import type { SyscallName } from "../linux/syscalls";
import type { Finding } from "./driver";

/** The system calls that are not in every kernel, with the first that has them. Each is called so that it must fail. */
const calls: readonly { name: SyscallName; since: string; args: (number | string)[] }[] = [
  { name: "open_tree", since: "5.2", args: [-1, "x", 0] },
  { name: "move_mount", since: "5.2", args: [-1, "x", -1, "x", 0] },
  { name: "pidfd_open", since: "5.3", args: [0, 0] },
  { name: "openat2", since: "5.6", args: [-1, "x", 0, 0] },
  { name: "mount_setattr", since: "5.12", args: [-1, "x", 0, 0, 0] },
  { name: "pidfd_getfd", since: "5.6", args: [-1, -1, 0] },
];

const CAP_SYS_ADMIN = 21n;

/** What every container takes, in a machine or not. */
export function checkKernel(): Finding[] {
  return [checkRoot(), ...calls.map(checkCall), checkCgroups()];
}

export function checkHost(): Finding[] {
  return [
    ...checkKernel(),
    checkMemory(freemem()),
    checkDevice("/dev/net/tun", "networking", "modprobe tun"),
    checkDevice("/dev/vhost-net", "faster networking", "modprobe vhost_net"),
  ];
}

function checkRoot(): Finding {
  const subject = "root";
  if (process.getuid?.() !== 0) {
    return { status: "missing", subject, detail: "runv is started by another user", fix: "sudo runv check" };
  }
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(read("/proc/self/status"))?.[1] ?? "0";
  if ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) return { status: "ok", subject, detail: "with CAP_SYS_ADMIN" };
  return {
    status: "missing",
    subject,
    detail: "root without CAP_SYS_ADMIN",
    fix: "start it in a privileged container",
  };
}

function checkCall({ name, since, args }: (typeof calls)[number]): Finding {
  const finding = { subject: name, detail: "the kernel has it" };
  try {
    syscall(name, ...args);
  } catch (error) {
    if (error instanceof SystemError && error.code === "ENOSYS") {
      return { status: "missing", subject: name, detail: "the kernel has it not", fix: `use Linux ${since} or later` };
    }
    if (error instanceof SystemError && error.code === "EPERM") {
      const detail = "it is forbidden here, by a container's seccomp filter maybe";
      return { status: "missing", subject: name, detail, fix: "start it in a privileged container" };
    }
  }
  return { status: "ok", ...finding };
}

function checkCgroups(): Finding {
  const subject = "cgroups";
  if (existsSync("/sys/fs/cgroup/cgroup.controllers")) return { status: "ok", subject, detail: "version 2" };
  if (existsSync("/sys/fs/cgroup/unified/cgroup.procs")) {
    return { status: "ok", subject, detail: "version 1 with version 2 beside it" };
  }
  if (existsSync("/sys/fs/cgroup/memory")) return { status: "ok", subject, detail: "version 1" };
  const fix = "mount -t cgroup2 none /sys/fs/cgroup";
  return { status: "warning", subject, detail: "none is mounted: containers' limits on the host do nothing", fix };
}

/** A machine takes some 200 MiB: 128 for the guest and what QEMU needs itself. */
function checkMemory(free: number): Finding {
  const mebibytes = Math.floor(free / 1048576);
  const finding = { subject: "memory", detail: `${mebibytes} MiB are available` };
  return mebibytes >= 256 ? { status: "ok", ...finding } : { status: "warning", ...finding, fix: "free some memory" };
}

function checkDevice(path: string, purpose: string, fix: string): Finding {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return { status: "ok", subject: path, detail: purpose };
  } catch {
    return { status: "warning", subject: path, detail: `it is not there: ${purpose}`, fix };
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
