/**
 * The program that makes a machine of its own of what was forked from one that runs. It is in its parent's jail, with its user id, capabilities and
 * filter; what it needs of the host it is sent as descriptors.
 */
import {
  AT_FDCWD,
  O_ACCMODE,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from "../../linux/constants";
import { type Address, Assembler, type Register } from "../../program/assembler";
import { inherited } from "./child";
import type { RunningDescriptors, SharedFile } from "./fork-descriptors";
import { type ForkNotes, type GivenKind, givenKinds, type SentKind, sentKinds } from "./fork-notes";
import { type ForkTitle, give, rename, renew, templateOf, tieTo } from "./fork-program";

export interface BranchProgram {
  /** The parent's. */
  descriptors: RunningDescriptors;
  title: ForkTitle;
  /** The number of the socket that ties the parent to its monitor. */
  life: number;
  /** The number that the connection gets. */
  connection: number;
}

/** fcntl.h; lseek(2) */
const [O_NOATIME, O_DSYNC, O_SYNC, O_DIRECT] = [0o1000000, 0o10000, 0o4010000, 0o40000];
const SEEK_SET = 0;
/** What of an open file's flags is said again when it is opened again. */
const kept =
  O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_PATH;
const copySize = 64 << 10;
/** Where a process finds its descriptors in the jail. */
const ownDescriptors = "/proc/self/fd/";

/** Writes the program, which first says its process id, as four bytes. */
export function branchProgram(branch: BranchProgram): Omit<ForkNotes, "freePageReporting"> {
  const { descriptors, title, life, connection } = branch;
  const sent = sentKinds.filter(
    (kind) =>
      !(["mounts", "root", "network"] as SentKind[]).includes(kind) && (kind !== "tap" || descriptors.tap.length > 0),
  );
  const numberOf = (kind: SentKind): number => connection + 1 + sent.indexOf(kind);
  const p = new Assembler();
  const sizes = { name: title.name.length + 1, affinity: 1024 };
  const places = { name: p.bytes(new Uint8Array(sizes.name)), affinity: p.bytes(new Uint8Array(sizes.affinity)) };
  p.doing("tell the process id of the new qemu");
  const pid = p.zeroed(8);
  p.store(pid, p.value("getpid", []), 8);
  p.output(pid, 4);
  // Of the guest nothing is under way; of QEMU itself something may be, and it looks.
  renew(p, descriptors, 1);
  for (const kind of sent) if (isGiven(kind)) give(p, kind, numberOf(kind), descriptors);
  const share = numberOf("share");
  for (const file of descriptors.files) {
    p.doing(`open ${file.path.slice(file.path.indexOf("/"))} again`);
    if (file.unnamed === undefined) reopen(p, share, file);
  }
  const unnamed = Object.values(Object.groupBy(descriptors.files, ({ unnamed }) => unnamed?.file ?? ""));
  const buffer = p.zeroed(copySize);
  for (const files of unnamed) {
    const { path, unnamed } = files![0]!;
    if (unnamed === undefined) continue;
    p.doing(`copy ${path.slice(path.indexOf("/"))}, which is open and has no name any more`);
    copy(p, share, files!, buffer);
  }
  rename(p, title, places.name);
  p.doing("give qemu its monitor");
  p.syscall("dup3", [numberOf("life"), life, O_CLOEXEC]);
  p.syscall("dup3", [numberOf("forks"), inherited.listener, O_CLOEXEC]);
  tieTo(p, life);
  p.doing("close what qemu must not have");
  for (const kind of sent) p.syscall("close", [numberOf(kind)]);
  const { served } = descriptors;
  return { ...templateOf(p, sizes, places), sent, connection, life, served, nameLength: title.name.length };
}

function isGiven(kind: SentKind): kind is GivenKind {
  return (givenKinds as readonly string[]).includes(kind);
}

/** Opens what has the file's name in the branch's share, from where on the parent would read it. */
function reopen(p: Assembler, share: number, { fd, path, flags, position }: SharedFile): void {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const how = new BigUint64Array([BigInt((flags & kept) | O_CLOEXEC), 0n, BigInt(resolve)]);
  const bytes = new Uint8Array(how.buffer);
  const opened = p.value("openat2", [share, p.text(path), p.bytes(bytes), bytes.length]);
  if ((flags & O_PATH) === 0) p.syscall("lseek", [opened, position, SEEK_SET], { accept: "any" });
  take(p, opened, fd);
}

/** Makes a file without a name of the same content, and opens it as often as the parent has it open. */
function copy(p: Assembler, share: number, files: readonly SharedFile[], buffer: Address): void {
  const { fd, path, unnamed } = files[0]!;
  const { mode, uid, gid } = unnamed!;
  const root = path.split("/").slice(0, 2).join("/");
  const source = p.value("openat", [AT_FDCWD, p.text(`${ownDescriptors}${fd}`), O_RDONLY | O_CLOEXEC]);
  // O_TMPFILE is nothing for overlay file systems before Linux 6.11. Nobody sees the name: the branch does not run yet.
  const name = p.text(`${root}/.runv-${crypto.randomUUID()}`);
  const made = p.value("openat", [share, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600]);
  p.syscall("unlinkat", [share, name, 0]);
  const [again, end] = [p.label(), p.label()];
  const [at, length] = [p.register(), p.register()];
  p.set(at, 0);
  p.place(again);
  p.syscall("pread64", [source, buffer, copySize, at], { into: length });
  p.jumpIf(length, "=", 0, end);
  p.syscall("pwrite64", [made, buffer, length, at], { into: length });
  p.add(at, length, at);
  p.jump(again);
  p.place(end);
  p.release(at, length);
  p.syscall("fchown", [made, uid, gid]);
  p.syscall("fchmod", [made, mode]);
  const link = p.bytes(Buffer.concat([Buffer.from(ownDescriptors), Buffer.alloc(24)]));
  p.release(p.decimal(link.plus(ownDescriptors.length), made));
  for (const { fd, flags, position } of files) {
    const opened = p.value("openat", [AT_FDCWD, link, (flags & kept & ~O_NOFOLLOW) | O_CLOEXEC]);
    p.syscall("lseek", [opened, position, SEEK_SET]);
    take(p, opened, fd);
  }
  for (const done of [source, made]) p.syscall("close", [done]);
  p.release(source, made);
}

function take(p: Assembler, opened: Register, fd: number): void {
  p.syscall("dup3", [opened, fd, O_CLOEXEC]);
  p.syscall("close", [opened]);
  p.release(opened);
}
