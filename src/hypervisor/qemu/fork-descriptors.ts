/** What descriptors a QEMU has from which others are forked, and what each of those must have in their place. */
import { readdirSync, readFileSync, readlinkSync, type Stats, statSync } from "node:fs";
import { RunvError } from "../../base/error";
import { O_NONBLOCK, TUNGETVNETHDRSZ } from "../../linux/constants";
import { syscall } from "../../linux/local";
import { takeDescriptor } from "../../linux/take-descriptor";
import { inherited } from "./child";
import { connection, type GivenKind } from "./fork-notes";

/** The numbers of descriptors; all others are good for many processes: /dev/null, files that are only read. */
export interface ForkDescriptors extends Record<GivenKind, readonly number[]> {
  /** eventfd(2), with O_NONBLOCK or 0. */
  events: readonly { fd: number; flags: number }[];
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
const mostReceived = 17;

/**
 * Sorts the descriptors of a process.
 * @throws RunvError VM_FORK when there is one that clones could only have together
 */
export function forkDescriptorsOf(pid: number, { console, share, memory, served }: ForkFiles): ForkDescriptors {
  const files = { share: statOf(share), memory: statOf(memory) };
  const qmp = statOf(`/proc/${pid}/fd/${inherited.qmp}`);
  const agent = statOf(`/proc/${pid}/fd/${inherited.agent}`);
  const found = {
    ...{ qmp: [], agent: [], console: [], stderr: [], share: [], tap: [] },
    ...{ events: [], epolls: [], signals: [], served: [], server: [] },
  } as Record<GivenKind, number[]> & {
    events: { fd: number; flags: number }[];
    epolls: number[];
    signals: { fd: number; mask: string; flags: number }[];
    served: number[];
    server: number[];
    frameHeader?: number;
  };
  for (const fd of readdirSync(`/proc/${pid}/fd`).map(Number)) {
    const link = readlinkSync(`/proc/${pid}/fd/${fd}`);
    if (fd >= connection - mostReceived)
      throw new RunvError(
        "VM_FORK",
        `qemu has more descriptors than machines forked from it can have: ${fd} is ${link}`,
      );
    const stat = statOf(`/proc/${pid}/fd/${fd}`);
    const info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1");
    const flags = Number.parseInt(/^flags:\s+(\d+)/m.exec(info)?.[1] ?? "0", 8) & O_NONBLOCK;
    if (fd === inherited.listener || /^\/dev\/null$|^\/memfd:runv-/.test(link) || same(stat, files.memory)) continue;
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
    } else if (link === "anon_inode:[eventfd]") found.events.push({ fd, flags });
    else if (link === "anon_inode:[eventpoll]" && !/^tfd:/m.test(info)) found.epolls.push(fd);
    else if (link === "anon_inode:[signalfd]") {
      found.signals.push({ fd, mask: /^sigmask:\s+([0-9a-f]+)/m.exec(info)?.[1] ?? "0", flags });
    } else
      throw new RunvError(
        "VM_FORK",
        `qemu has a descriptor that machines forked from it cannot have: ${fd} is ${link}`,
      );
  }
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

function same(stat: Stats | undefined, other: Stats | undefined): boolean {
  return stat !== undefined && other !== undefined && stat.dev === other.dev && stat.ino === other.ino;
}
