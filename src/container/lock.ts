import { closeSync, openSync } from "node:fs";
import { RunvError } from "../base/error";
import { LOCK_EX } from "../linux/constants";
import { syscall } from "../linux/local";
import { containerDirectory } from "./store";

/**
 * Does something while no other command changes the container: they wait for one another (flock(2) on its directory).
 * @throws RunvError CONTAINER_UNKNOWN, and what `action` throws
 */
export async function withLock<T>(root: string, id: string, action: () => T | Promise<T>): Promise<T> {
  let fd: number;
  try {
    fd = openSync(containerDirectory(root, id), "r");
  } catch (cause) {
    throw new RunvError("CONTAINER_UNKNOWN", "container does not exist", { cause });
  }
  try {
    syscall("flock", fd, LOCK_EX);
    return await action();
  } finally {
    closeSync(fd);
  }
}
