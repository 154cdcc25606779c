/**
 * The seccomp filter of a QEMU that was forked: what `-sandbox on,…=deny` denies to one that is started, and changes of the mount tree. Its parent has none, for
 * it must still fork.
 *
 * @see https://www.qemu.org/docs/master/system/invocation.html -sandbox
 */
import { compileSeccomp, type SeccompFilter } from "../../guest/lower/seccomp/compile";
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../../linux/constants";
import { errnoOf } from "../../linux/errno";
import type { Seccomp, SeccompRule } from "../../oci/seccomp";

/** sched.h */
const CLONE_THREAD = 0x0001_0000;
const CLONE_VFORK = 0x0000_4000;
const CLONE_PTRACE = 0x0000_2000;
const CLONE_PARENT = 0x0000_8000;
const SCHED_IDLE = 5;

/** Nothing that an emulator needs: whoever calls one of these is not QEMU any more. */
const deadly = [
  ...[
    "reboot",
    "swapon",
    "swapoff",
    "syslog",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
  ],
  ...["mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick"],
  ...["_sysctl", "sysfs", "uselib", "ustat"],
  ...[
    "setuid",
    "setgid",
    "setpgid",
    "setsid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setfsuid",
    "setfsgid",
  ],
  ...["fork", "vfork", "execve", "execveat", "setns", "unshare"],
  ...["ptrace", "process_vm_readv", "process_vm_writev", "bpf", "perf_event_open", "keyctl", "add_key", "request_key"],
];

/** linux/if_tun.h: an interface that outlives who made it, or is another user's. */
const [TUNSETPERSIST, TUNSETOWNER, TUNSETGROUP] = [0x4004_54cb, 0x4004_54cc, 0x4004_54ce];
/** Kinds of sockets (socket(2)) that QEMU's own router makes, and how many there are. */
const [routerSockets, socketKinds] = [[2, 10], 64];

const refused = (names: string[], errno: "EPERM" | "ENOSYS", args: SeccompRule["args"] = []): SeccompRule => ({
  ...{ names, action: "SCMP_ACT_ERRNO", errnoRet: errnoOf(errno), args },
});

/** Of an argument of which the kernel takes 32 bits, whatever is above them. */
const equal = (index: number, value: number): SeccompRule["args"] => [
  { index, value: 0xffff_ffff, valueTwo: value, op: "SCMP_CMP_MASKED_EQ" },
];

/**
 * What no QEMU of runv's needs, for it inherits its channels: sockets (abstract ones of the host's network could be reached by them), but for those of its
 * own router; io_uring, whose calls no filter sees; and interfaces that stay.
 */
export function reachRules(hasRouter: boolean): SeccompRule[] {
  const kinds = Array.from({ length: socketKinds }, (_, kind) => kind).filter((kind) => !routerSockets.includes(kind));
  const sockets = hasRouter
    ? [
        ...kinds.map((kind) => refused(["socket"], "EPERM", equal(0, kind))),
        refused(["socket"], "EPERM", [{ index: 0, value: socketKinds, op: "SCMP_CMP_GE" }]),
      ]
    : [refused(["socket"], "EPERM")];
  return [
    ...sockets,
    refused(["io_uring_setup", "io_uring_enter", "io_uring_register"], "ENOSYS"),
    ...[TUNSETPERSIST, TUNSETOWNER, TUNSETGROUP].map((request) => refused(["ioctl"], "EPERM", equal(1, request))),
  ];
}

/** The filter of a QEMU that is started, beside QEMU's own. @param hasRouter its network is QEMU's own router */
export function reachFilter(hasRouter: boolean): SeccompFilter {
  return compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW", architectures: [], syscalls: reachRules(hasRouter) });
}

let filter: SeccompFilter | undefined;

/** The filter, compiled once. */
export function sandboxFilter(): SeccompFilter {
  filter ??= compileSeccomp(sandboxProfile());
  return filter;
}

/** What it is made of. */
export function sandboxProfile(): Seccomp {
  const killed = (rule: Pick<SeccompRule, "names"> & Partial<SeccompRule>): SeccompRule => ({
    action: "SCMP_ACT_KILL_PROCESS",
    args: [],
    ...rule,
  });
  const masked = (mask: number, value: number): SeccompRule["args"] => [
    { index: 0, value: mask, valueTwo: value, op: "SCMP_CMP_MASKED_EQ" },
  ];
  const newer = [CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS];
  return {
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: [],
    syscalls: [
      killed({ names: deadly }),
      // Its network is a tap.
      ...reachRules(false),
      // Threads, and nothing else.
      killed({ names: ["clone"], args: masked(CLONE_THREAD, 0) }),
      ...[CLONE_VFORK, CLONE_PTRACE, CLONE_PARENT, ...newer].map((flag) =>
        killed({ names: ["clone"], args: masked(flag, flag) }),
      ),
      // Its flags are in memory, which no filter sees; the C library uses clone then.
      refused(["clone3"], "ENOSYS"),
      refused(["setpriority", "sched_setparam", "sched_setaffinity", "sched_setattr"], "EPERM"),
      refused(["sched_setscheduler"], "EPERM", [{ index: 1, value: SCHED_IDLE, op: "SCMP_CMP_NE" }]),
    ],
  };
}
