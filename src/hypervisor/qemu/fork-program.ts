/**
 * The program that makes a machine of its own of what was forked: descriptors, namespaces, a jail and privileges, as `confine.ts` gives
 * them to a QEMU that is started.
 */

import { loadSeccomp } from "../../guest/lower/seccomp/load";
import {
  AF_UNIX,
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
  SOCK_CLOEXEC,
  SOCK_STREAM,
  TUNSETVNETHDRSZ,
} from "../../linux/constants";
import { SIGKILL } from "../../linux/signals";
import { type Address, Assembler } from "../../program/assembler";
import type { Note } from "../../program/program";
import { dropPrivileges, makeJail, setLimits, toServe } from "../confinement";
import { inside, jailEntries } from "../jail";
import { inherited } from "./child";
import type { ForkDescriptors } from "./fork-descriptors";
import { connection, type ForkNotes, type ForkTemplate, type GivenKind, type SentKind, sentKinds } from "./fork-notes";
import { sandboxFilter } from "./sandbox-filter";

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
  /** QEMU's program. */
  binary: string;
}

/** sys/resource.h */
const PRIO_PROCESS = 0;
/** limits.h, and the most processors that sched_setaffinity(2) is told of, in bytes. */
const [PATH_MAX, affinityBytes] = [4096, 1024];
/** What stands for the machine's own paths until they are known: errors show it. */
const own = { directory: "the sandbox's directory", share: "the machine's share" };

/** Writes the program, which first says its process id, as four bytes. */
export function forkProgram({ descriptors, title, binary }: ForkProgram): Omit<ForkNotes, "freePageReporting"> {
  const sent = sentKinds.filter((kind) => kind !== "share" && (kind !== "tap" || descriptors.tap.length > 0));
  const numberOf = (kind: SentKind): number => connection + 1 + sent.indexOf(kind);
  const p = new Assembler();
  const sizes = {
    ...{ directory: PATH_MAX, share: PATH_MAX, name: Buffer.byteLength(title.name) + 1 },
    ...{ umask: 8, nice: 8, affinity: affinityBytes },
  };
  const places = mapValues(sizes, (size) => p.bytes(new Uint8Array(size)));
  const path = (text: string) =>
    text === own.directory ? places.directory : text === own.share ? places.share : p.text(text);
  p.doing("tell the process id of the new qemu");
  const pid = p.zeroed(8);
  p.store(pid, p.value("getpid", []), 8);
  p.output(pid, 4);
  p.doing("go into the machine's namespaces");
  p.syscall("setns", [numberOf("network"), CLONE_NEWNET]);
  p.syscall("setns", [numberOf("mounts"), CLONE_NEWNS]);
  // Which put this process at the namespace's root: the monitor's is another one in a chroot.
  p.syscall("fchdir", [numberOf("root")]);
  p.syscall("chroot", [p.text(".")]);
  p.doing("be scheduled as the machine's monitor is");
  p.syscall("umask", [p.load(places.umask, 8)]);
  p.syscall("sched_setaffinity", [0, affinityBytes, places.affinity], { accept: "any" });
  p.syscall("setpriority", [PRIO_PROCESS, 0, p.load(places.nice, 8)], { accept: "any" });
  renew(p, descriptors);
  for (const kind of sent) if (kind in descriptors) give(p, kind as GivenKind, numberOf(kind), descriptors);
  const share = { tag: "share", path: own.share };
  const fork = { socket: "", notes: undefined };
  makeJail(p, "qemu", own.directory, jailEntries({ kernel: "", initrd: "", share, fork }, binary, []), path);
  p.doing("open the machine's share");
  for (const fd of descriptors.share) {
    const opened = p.value("openat", [AT_FDCWD, p.text(inside.share), O_RDONLY | O_DIRECTORY | O_CLOEXEC]);
    p.syscall("dup3", [opened, fd, O_CLOEXEC]);
    p.syscall("close", [opened]);
  }
  setLimits(p, "qemu");
  rename(p, title, places.name);
  dropPrivileges(p, "qemu", toServe);
  tieTo(p, numberOf("life"));
  p.doing("close what qemu must not have");
  p.syscall("dup3", [numberOf("forks"), inherited.listener, O_CLOEXEC]);
  for (const kind of sent) if (kind !== "life") p.syscall("close", [numberOf(kind)]);
  loadSeccomp(p, sandboxFilter());
  const { served } = descriptors;
  return { ...templateOf(p, sizes, places), sent, connection, served, nameLength: title.name.length };
}

/** The program that was written, with its holes. @param places where in its data they are */
export function templateOf<K extends keyof ForkNotes["holes"]>(
  p: Assembler,
  sizes: Record<K, number>,
  places: Record<K, Address>,
): ForkTemplate {
  const program = p.assemble();
  const holes = mapValues(sizes, (size, name) => ({ at: program.dataAt + places[name].offset, size }));
  return { program: Buffer.from(program.bytes).toString("base64"), holes, notes: runsOf(program.notes) };
}

function mapValues<K extends string, V, W>(values: Record<K, V>, map: (value: V, key: K) => W): Record<K, W> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, map(value as V, key as K)])) as Record<
    K,
    W
  >;
}

/** Notes, each with how often it comes in a row. */
function runsOf(notes: readonly Note[]): [string, number][] {
  const runs: [string, number][] = [];
  for (const { doing } of notes) {
    const last = runs.at(-1);
    if (last?.[0] === doing) last[1]++;
    else runs.push([doing, 1]);
  }
  return runs;
}

/**
 * What the kernel keeps for these must not be what the parent's and all its clones' have.
 * @param count what events begin with: 1 wakes whoever waits, once, in vain maybe
 */
export function renew(
  p: Assembler,
  { events, epolls, signals, served, server }: ForkDescriptors,
  count: 0 | 1 = 0,
): void {
  p.doing("make qemu descriptors of its own");
  const replace = (fd: number, made: ReturnType<Assembler["value"]>) => {
    p.syscall("dup3", [made, fd, O_CLOEXEC]);
    p.syscall("close", [made]);
    p.release(made);
  };
  for (const { fds, flags } of events) {
    const made = p.value("eventfd2", [count, flags | O_CLOEXEC]);
    for (const fd of fds) p.syscall("dup3", [made, fd, O_CLOEXEC]);
    p.syscall("close", [made]);
    p.release(made);
  }
  for (const fd of epolls) replace(fd, p.value("epoll_create1", [O_CLOEXEC]));
  for (const { fd, mask, flags } of signals) {
    const set = p.bytes(new Uint8Array(new BigUint64Array([BigInt(`0x${mask}`)]).buffer));
    replace(fd, p.value("signalfd4", [-1, set, 8, flags | O_CLOEXEC]));
  }
  if (server.length === 0) return;
  p.doing("connect qemu with the server of its share");
  const ends = p.zeroed(8);
  p.syscall("socketpair", [AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends]);
  const [qemu, own] = [p.load(ends, 4), p.load(ends.plus(4), 4)];
  p.syscall("fcntl", [qemu, F_SETFL, O_RDWR | O_NONBLOCK]);
  for (const fd of served) p.syscall("dup3", [qemu, fd, O_CLOEXEC]);
  for (const fd of server) p.syscall("dup3", [own, fd, O_CLOEXEC]);
  for (const end of [qemu, own]) p.syscall("close", [end]);
}

/** Gives a descriptor that was sent the numbers by which QEMU knows it. */
export function give(p: Assembler, kind: GivenKind, sent: number, descriptors: ForkDescriptors): void {
  p.doing(`give qemu its ${kind}`);
  if (kind === "tap") {
    // As QEMU has set up its parent's.
    p.syscall("fcntl", [sent, F_SETFL, O_RDWR | O_NONBLOCK]);
    const size = p.bytes(new Uint8Array(new Int32Array([descriptors.frameHeader ?? 0]).buffer));
    p.syscall("ioctl", [sent, TUNSETVNETHDRSZ, size]);
  }
  for (const fd of descriptors[kind]) p.syscall("dup3", [sent, fd, O_CLOEXEC]);
}

/** Writes the machine's name over its parent's, which is as long, where ps(1) finds it. */
export function rename(p: Assembler, { at, name }: ForkTitle, own: Address): void {
  p.doing("name the process");
  const ends = p.zeroed(8);
  p.syscall("pipe2", [ends, O_CLOEXEC]);
  const [reading, writing] = [p.load(ends, 4), p.load(ends.plus(4), 4)];
  p.syscall("write", [writing, own, name.length]);
  p.syscall("read", [reading, BigInt(at), name.length], { accept: "any" });
  for (const end of [reading, writing]) p.syscall("close", [end]);
}

/** The process gets SIGKILL when the other end of a socket is closed, to which nobody writes (fcntl(2), F_SETSIG). */
export function tieTo(p: Assembler, life: number): void {
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
