/**
 * The program that makes a machine of its own of what was forked: descriptors, namespaces, a jail and privileges, as `confine.ts` gives
 * them to a QEMU that is started.
 */

import { loadSeccomp } from "../../guest/lower/seccomp/load";
import {
  AT_FDCWD,
  CLONE_NEWNET,
  CLONE_NEWNS,
  F_SETFL,
  F_SETOWN,
  F_SETSIG,
  MSG_DONTWAIT,
  MSG_PEEK,
  O_ASYNC,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  TUNSETVNETHDRSZ,
} from "../../linux/constants";
import { SIGKILL } from "../../linux/signals";
import { Assembler } from "../../program/assembler";
import type { Program } from "../../program/program";
import { dropPrivileges, makeJail, setLimits, toServe } from "../confinement";
import { inside, type JailEntry } from "../jail";
import { type ForkDescriptors, firstSent, type GivenKind, givenKinds } from "./fork-descriptors";
import { sandboxFilter } from "./sandbox-filter";

/** What a clone is sent beside what it has in place of its parent's: this process's namespaces, and a socket that closes with this process. */
export const sentKinds = [...givenKinds, "mounts", "network", "life"] as const;

export type SentKind = (typeof sentKinds)[number];

/** Where in a process's memory its machine's name is, as an argument of its program. */
export interface ForkTitle {
  /** The address. */
  at: number;
  name: string;
}

export interface ForkProgram {
  /** The parent's. */
  descriptors: ForkDescriptors;
  title: ForkTitle;
  /** What is sent with the program, in the order of `sentKinds`. */
  sent: readonly SentKind[];
  /** A directory to put the jail on. */
  directory: string;
  entries: readonly JailEntry[];
  /** The machine's. */
  name: string;
  /** This process's: umask(2), sched_getaffinity(2), getpriority(2). */
  umask: number;
  affinity: Uint8Array;
  nice: number;
}

/** sys/resource.h */
const PRIO_PROCESS = 0;

/** Writes the program, which first says its process id, as four bytes. */
export function forkProgram(fork: ForkProgram): Program {
  const { descriptors, title, sent, directory, entries, name, umask, affinity, nice } = fork;
  const numberOf = (kind: SentKind): number => firstSent + sent.indexOf(kind);
  const p = new Assembler();
  p.doing("tell the process id of the new qemu");
  const pid = p.zeroed(8);
  p.store(pid, p.value("getpid", []), 8);
  p.output(pid, 4);
  p.doing("go into the machine's namespaces");
  p.syscall("setns", [numberOf("network"), CLONE_NEWNET]);
  p.syscall("setns", [numberOf("mounts"), CLONE_NEWNS]);
  p.doing("be scheduled as the machine's monitor is");
  p.syscall("umask", [umask]);
  p.syscall("sched_setaffinity", [0, affinity.length, p.bytes(affinity)], { accept: "any" });
  p.syscall("setpriority", [PRIO_PROCESS, 0, nice], { accept: "any" });
  renew(p, descriptors);
  for (const kind of givenKinds) if (sent.includes(kind)) give(p, kind, numberOf(kind), descriptors);
  makeJail(p, "qemu", directory, entries);
  p.doing("open the machine's share");
  for (const fd of descriptors.share) {
    const share = p.value("openat", [AT_FDCWD, p.text(inside.share), O_RDONLY | O_DIRECTORY | O_CLOEXEC]);
    p.syscall("dup3", [share, fd, O_CLOEXEC]);
    p.syscall("close", [share]);
  }
  setLimits(p, "qemu");
  rename(p, title, name);
  dropPrivileges(p, "qemu", toServe);
  tieTo(p, numberOf("life"));
  p.doing("close what qemu must not have");
  for (const kind of sent) if (kind !== "life") p.syscall("close", [numberOf(kind)]);
  loadSeccomp(p, sandboxFilter());
  return p.assemble();
}

/** What the kernel keeps for these must not be what the parent's and all its clones' have. */
function renew(p: Assembler, { events, epolls, signals }: ForkDescriptors): void {
  p.doing("make qemu descriptors of its own");
  const replace = (fd: number, made: ReturnType<Assembler["value"]>) => {
    p.syscall("dup3", [made, fd, O_CLOEXEC]);
    p.syscall("close", [made]);
    p.release(made);
  };
  for (const { fd, flags } of events) replace(fd, p.value("eventfd2", [0, flags | O_CLOEXEC]));
  for (const fd of epolls) replace(fd, p.value("epoll_create1", [O_CLOEXEC]));
  for (const { fd, mask, flags } of signals) {
    const set = p.bytes(new Uint8Array(new BigUint64Array([BigInt(`0x${mask}`)]).buffer));
    replace(fd, p.value("signalfd4", [-1, set, 8, flags | O_CLOEXEC]));
  }
}

/** Gives a descriptor that was sent the numbers by which QEMU knows it. */
function give(p: Assembler, kind: GivenKind, sent: number, descriptors: ForkDescriptors): void {
  if (kind === "share") return;
  p.doing(`give qemu its ${kind}`);
  if (kind === "tap") {
    // As QEMU has set up its parent's.
    p.syscall("fcntl", [sent, F_SETFL, O_RDWR | O_NONBLOCK]);
    const size = p.bytes(new Uint8Array(new Int32Array([descriptors.frameHeader ?? 0]).buffer));
    p.syscall("ioctl", [sent, TUNSETVNETHDRSZ, size]);
  }
  for (const fd of descriptors[kind]) p.syscall("dup3", [sent, fd, O_CLOEXEC]);
}

/** Writes the machine's name over its parent's, where ps(1) finds it. */
function rename(p: Assembler, { at, name }: ForkTitle, own: string): void {
  if (Buffer.byteLength(own) !== Buffer.byteLength(name)) return;
  p.doing("name the process");
  const vector = (address: bigint | undefined) =>
    p.bytes(new Uint8Array(new BigUint64Array([address ?? 0n, BigInt(name.length)]).buffer));
  const [from, to] = [vector(undefined), vector(BigInt(at))];
  p.pointer(from, p.text(own));
  p.syscall("process_vm_writev", [p.value("getpid", []), from, 1, to, 1, 0], { accept: "any" });
}

/** The process gets SIGKILL when the other end of a socket is closed, to which nobody writes (fcntl(2), F_SETSIG). */
function tieTo(p: Assembler, life: number): void {
  p.doing("tie qemu to its monitor");
  p.syscall("fcntl", [life, F_SETSIG, SIGKILL]);
  p.syscall("fcntl", [life, F_SETOWN, p.value("getpid", [])]);
  p.syscall("fcntl", [life, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC]);
  const alive = p.label();
  const byte = p.zeroed(8);
  const received = p.value("recvfrom", [life, byte, 1, MSG_PEEK | MSG_DONTWAIT, 0, 0], { accept: ["EAGAIN"] });
  p.jumpIf(received, "<", 0, alive);
  p.fail(3); // ESRCH: it died before
  p.place(alive);
}
