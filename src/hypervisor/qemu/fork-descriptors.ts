/** What descriptors a QEMU has from which others are forked, and what each of those must have in their place. */
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, type Stats, statSync } from "node:fs";
import { RunvError } from "../../base/error";
import { openBeneath } from "../../linux/beneath";
import { O_DIRECTORY, O_NONBLOCK, O_PATH, TUNGETVNETHDRSZ } from "../../linux/constants";
import { syscall } from "../../linux/local";
import { takeDescriptor } from "../../linux/take-descriptor";
import { inside } from "../jail";
import { inherited } from "./child";
import { connection, type GivenKind } from "./fork-notes";

/** The numbers of descriptors; all others are good for many processes: /dev/null, files that are only read. */
export interface ForkDescriptors extends Record<GivenKind, readonly number[]> {
  /** eventfd(2), with O_NONBLOCK or 0, and all numbers that one has: QEMU and the server of its share know one each. */
  events: readonly { fds: readonly number[]; flags: number }[];
  /** epoll_create(2), that wait for nothing. */
  epolls: readonly number[];
  /** signalfd(2): signals as a mask, in hexadecimal. */
  signals: readonly { fd: number; mask: string; flags: number }[];
  /** The two ends of the socket between QEMU and the server of its share, where that is loaded into it. */
  served: readonly number[];
  server: readonly number[];
  /** The length of a frame's header that is set for the tap. */
  frameHeader?: number;
}

/** A file that a running machine has open on its share. */
export interface SharedFile {
  fd: number;
  /** Below the share; its name, or that which it had. */
  path: string;
  /** It has no name any more, or another file has that: its mode and owner, and what tells it from others. */
  unnamed?: { mode: number; uid: number; gid: number; file: string };
  /** As open(2) has them. */
  flags: number;
  position: bigint;
}

/** The descriptors of a machine that runs. */
export interface RunningDescriptors extends ForkDescriptors {
  files: readonly SharedFile[];
  /** The highest number. */
  last: number;
}

/** What is known of the descriptors of one that was forked, and runs. */
export interface RunningFiles extends ForkFiles {
  /** That of the socket which ties it to its monitor. */
  life: number;
}

/** The files by which some are known. */
export interface ForkFiles {
  /** The inode of the console's pipe. */
  console: number;
  share: string | undefined;
  memory: string | undefined;
  /** The inode of QEMU's end of the socket to the server of its share, where that is loaded into it. */
  served?: number | undefined;
}

/** What a clone is sent comes with the lowest numbers that are free, and must be below those that it gets then. */
export const mostReceived = 17;

/**
 * Sorts the descriptors of a process.
 * @throws RunvError VM_FORK when there is one that clones could only have together
 */
export function forkDescriptorsOf(pid: number, files: ForkFiles): ForkDescriptors {
  return sort(pid, files, (fd, link) => {
    if (fd >= connection - mostReceived)
      throw refused(`qemu has more descriptors than machines forked from it can have: ${fd} is ${link}`);
    return false;
  });
}

/**
 * The same of a machine that was forked, and runs.
 * @throws RunvError BRANCH_REFUSED
 */
export function runningDescriptorsOf(pid: number, known: RunningFiles): RunningDescriptors {
  const open: SharedFile[] = [];
  // By which that server knows files, and who watches them: it sees to them itself (preload/fs/nodes.c, changes.c).
  const isServers = (link: string, info: string) =>
    known.served !== undefined && (link === "anon_inode:inotify" || (flagsOf(info) & O_PATH) !== 0);
  let last = 0;
  const share = openSync(known.share!, O_PATH | O_DIRECTORY);
  try {
    const descriptors = sort(pid, known, (fd, link, info) => {
      last = Math.max(last, fd);
      if (fd === known.life || link === inside.memory) return true;
      // The same, where the template's process has gone, in whose jail it was a mount: what else has that name is a directory.
      if (link === "/" && statOf(`/proc/${pid}/fd/${fd}`)?.isFile()) return true;
      // That of a branch is none of its jail's.
      const place = [inside.share, known.share!].find((path) => link.startsWith(`${path}/`));
      if (place === undefined) return link === "anon_inode:inotify" && isServers(link, info);
      if (isServers(link, info)) return true;
      open.push(sharedFile(pid, fd, link.slice(place.length + 1), info, share));
      return true;
    });
    return { ...descriptors, files: open, last };
  } finally {
    closeSync(share);
  }
}

/** What Linux says behind the name of a file that has none any more. */
const deleted = " (deleted)";

function sharedFile(pid: number, fd: number, link: string, info: string, share: number): SharedFile {
  const own = statSync(`/proc/${pid}/fd/${fd}`);
  const flags = flagsOf(info);
  const position = BigInt(/^pos:\s+(\d+)/m.exec(info)?.[1] ?? 0);
  const file = { fd, path: link, flags, position };
  if (same(own, statBeneath(share, link))) return file;
  const path = link.endsWith(deleted) ? link.slice(0, -deleted.length) : link;
  if (!own.isFile() || (flags & O_PATH) !== 0) {
    const message = `it has ${path.slice(path.indexOf("/"))} open, which has no name any more and cannot be copied`;
    throw new RunvError("BRANCH_REFUSED", message);
  }
  return {
    ...file,
    path,
    unnamed: { mode: own.mode & 0o7777, uid: own.uid, gid: own.gid, file: `${own.dev}:${own.ino}` },
  };
}

/** As proc_pid_fdinfo(5) has them. */
function flagsOf(info: string): number {
  return Number.parseInt(/^flags:\s+(\d+)/m.exec(info)?.[1] ?? "0", 8);
}

function statBeneath(directory: number, path: string): Stats | undefined {
  try {
    const fd = openBeneath(directory, path, O_PATH);
    try {
      return fstatSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

function refused(message: string): RunvError {
  return new RunvError("VM_FORK", message);
}

/** @param special whether a descriptor is seen to otherwise */
function sort(
  pid: number,
  { console, share, memory, served }: ForkFiles,
  special: (fd: number, link: string, info: string) => boolean,
): ForkDescriptors {
  const files = { share: statOf(share), memory: statOf(memory) };
  const events = new Map<string, { fds: number[]; flags: number }>();
  const qmp = statOf(`/proc/${pid}/fd/${inherited.qmp}`);
  const agent = statOf(`/proc/${pid}/fd/${inherited.agent}`);
  const found = {
    ...{ qmp: [], agent: [], console: [], stderr: [], share: [], tap: [] },
    ...{ events: [], epolls: [], signals: [], served: [], server: [] },
  } as Record<GivenKind, number[]> & {
    events: { fds: number[]; flags: number }[];
    epolls: number[];
    signals: { fd: number; mask: string; flags: number }[];
    served: number[];
    server: number[];
    frameHeader?: number;
  };
  for (const fd of readdirSync(`/proc/${pid}/fd`).map(Number)) {
    const link = readlinkSync(`/proc/${pid}/fd/${fd}`);
    const stat = statOf(`/proc/${pid}/fd/${fd}`);
    const info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1");
    if (special(fd, link, info)) continue;
    const flags = flagsOf(info) & O_NONBLOCK;
    if (fd === inherited.listener || isNull(stat) || /^\/memfd:runv-/.test(link) || same(stat, files.memory)) continue;
    if (fd === 2) found.stderr.push(fd);
    else if (same(stat, qmp)) found.qmp.push(fd);
    else if (same(stat, agent)) found.agent.push(fd);
    else if (link === `pipe:[${console}]`) found.console.push(fd);
    else if (same(stat, files.share)) found.share.push(fd);
    else if (served !== undefined && fd === inherited.server) found.server.push(fd);
    else if (served !== undefined && link === `socket:[${served}]`) found.served.push(fd);
    else if (fd === inherited.tap && link === "/dev/net/tun") {
      found.tap.push(fd);
      found.frameHeader = frameHeaderOf(pid, fd);
    } else if (link === "anon_inode:[eventfd]") {
      // Since Linux 5.2; before, each is taken for one of its own.
      const id = /^eventfd-id:\s+(\d+)/m.exec(info)?.[1] ?? `of ${fd}`;
      const known = events.get(id);
      if (known === undefined) events.set(id, { fds: [fd], flags });
      else known.fds.push(fd);
    } else if (link === "anon_inode:[eventpoll]" && !/^tfd:/m.test(info)) found.epolls.push(fd);
    else if (link === "anon_inode:[signalfd]") {
      found.signals.push({ fd, mask: /^sigmask:\s+([0-9a-f]+)/m.exec(info)?.[1] ?? "0", flags });
    } else throw refused(`qemu has a descriptor that machines forked from it cannot have: ${fd} is ${link}`);
  }
  found.events.push(...events.values());
  return found;
}

function frameHeaderOf(pid: number, fd: number): number {
  const size = new Int32Array(1);
  const tap = takeDescriptor(pid, fd);
  try {
    syscall("ioctl", tap, TUNGETVNETHDRSZ, new Uint8Array(size.buffer));
    return size[0]!;
  } finally {
    syscall("close", tap);
  }
}

function statOf(path: string | undefined): Stats | undefined {
  return path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
}

/** /dev/null, whatever it is called: where it was opened may be gone. */
function isNull(stat: Stats | undefined): boolean {
  return stat?.isCharacterDevice() === true && stat.rdev === ((1 << 8) | 3);
}

function same(stat: Stats | undefined, other: Stats | undefined): boolean {
  return stat !== undefined && other !== undefined && stat.dev === other.dev && stat.ino === other.ino;
}
