/** Locks on open files (flock(2)): they last until the descriptor is closed, also by the process's end. */
import { fstatSync, statSync } from "node:fs";
import { LOCK_EX, LOCK_NB } from "./constants";
import { SystemError, syscall } from "./local";

/** Locks a file if nobody else has. @returns whether it is locked now @throws SystemError */
export function tryLock(fd: number): boolean {
  try {
    syscall("flock", fd, LOCK_EX | LOCK_NB);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.code === "EAGAIN") return false;
    throw error;
  }
}

/** Locks a file; blocks the thread while somebody else has it. @throws SystemError */
export function waitForLock(fd: number): true {
  syscall("flock", fd, LOCK_EX);
  return true;
}

/** Whether a path still leads to the open file: it may have been removed, and another one made in its place. */
export function isStill(fd: number, path: string): boolean {
  const [held, now] = [fstatSync(fd), statSync(path, { throwIfNoEntry: false })];
  return held.ino === now?.ino && held.dev === now.dev;
}

/** linux/fcntl.h, asm-generic/fcntl.h */
const [F_OFD_SETLK, F_RDLCK, F_WRLCK] = [37, 0, 1];
/** Programs that lock images lock other bytes: QEMU those from 100 on (block/file-posix.c). */
const lockedByte = 1n;

/**
 * Locks a file for whoever has this open file description (fcntl(2), F_OFD_SETLK): until the last descriptor of it is closed, in whatever process.
 * @param shared others may have such a lock too; else nobody may have any, and the file must be open for writing
 * @returns whether it could be had
 */
export function tryLockOpened(fd: number, shared: boolean): boolean {
  const lock = new DataView(new ArrayBuffer(32));
  lock.setInt16(0, shared ? F_RDLCK : F_WRLCK, true);
  lock.setBigInt64(8, lockedByte, true);
  lock.setBigInt64(16, 1n, true);
  try {
    syscall("fcntl", fd, F_OFD_SETLK, new Uint8Array(lock.buffer));
    return true;
  } catch (error) {
    if (error instanceof SystemError && (error.code === "EAGAIN" || error.code === "EACCES")) return false;
    throw error;
  }
}
