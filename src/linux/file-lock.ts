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
