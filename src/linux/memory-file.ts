import { ftruncateSync, readFileSync, writeSync } from "node:fs";
import {
  F_ADD_SEALS,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
} from "./constants";
import { SystemError, syscall } from "./local";

/** linux/memfd.h, since Linux 6.3: without it a kernel may be set to refuse to execute it. */
const MFD_EXEC = 0x10;

/**
 * Makes a file in memory that can be executed. Nobody changes it any more: whoever is given its descriptor may share it with processes
 * that may do more, which execute it too.
 * @returns its descriptor, at the beginning of the file; the caller closes it
 * @throws SystemError
 */
export function memoryFile(name: string, bytes: Uint8Array): number {
  const fd = create(name);
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(fd, bytes, written, bytes.length - written, written);
  }
  syscall("fcntl", fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  return fd;
}

/**
 * Makes a file in memory that is all holes.
 * @param size in bytes
 * @returns its descriptor; the caller closes it
 * @throws SystemError
 */
export function emptyMemoryFile(name: string, size: number): number {
  const fd = syscall("memfd_create", name, MFD_CLOEXEC);
  ftruncateSync(fd, size);
  return fd;
}

/**
 * Why there can be no file of this size, in memory or elsewhere: who makes one is ended by a signal (RLIMIT_FSIZE of setrlimit(2), `ulimit -f`).
 * @returns undefined when there can
 */
export function fileProblem(mebibytes: number): string | undefined {
  const most = mostFileBytes();
  if (most >= mebibytes * 2 ** 20) return undefined;
  return `files may have ${most} bytes at most (RLIMIT_FSIZE), and one of ${mebibytes} MiB is needed`;
}

/** How large this process's files may be, in bytes (RLIMIT_FSIZE of setrlimit(2)); Infinity where there is no limit. */
export function mostFileBytes(): number {
  const text = /^Max file size\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
  return text === undefined || text === "unlimited" ? Number.POSITIVE_INFINITY : Number(text);
}

/** lseek(2) */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const SEEK_SET = 0;

/** So much is copied at once, in bytes. */
const piece = 64 << 20;

/** Copies what a file holds into another of the same size that is all holes, which stay. @throws SystemError */
export function copyData(from: number, to: number): void {
  for (const _ of copyingData(from, to));
}

/** The same, a piece at a time. */
export function* copyingData(from: number, to: number): Generator<void> {
  for (let end = 0; ; ) {
    const start = dataAfter(from, end);
    if (start === undefined) return;
    end = syscall("lseek", from, start, SEEK_HOLE);
    syscall("lseek", to, start, SEEK_SET);
    const at = new BigInt64Array([BigInt(start)]);
    while (at[0]! < end) {
      const copied = syscall("sendfile", to, from, new Uint8Array(at.buffer), Math.min(end - Number(at[0]), piece));
      if (copied === 0) throw new RangeError(`the file ended at ${at[0]} and was to go on until ${end}`);
      yield;
    }
  }
}

/** Where the next data are; undefined when there are none. */
function dataAfter(fd: number, offset: number): number | undefined {
  try {
    return syscall("lseek", fd, offset, SEEK_DATA);
  } catch (error) {
    if (error instanceof SystemError && error.code === "ENXIO") return undefined;
    throw error;
  }
}

function create(name: string): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  try {
    return syscall("memfd_create", name, flags | MFD_EXEC);
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== "EINVAL") throw error;
    return syscall("memfd_create", name, flags);
  }
}
