import { closeSync, openSync } from "node:fs";
import { RunvError } from "../../base/error";
import { isStill, tryLock } from "../../linux/file-lock";
import { containerDirectory } from "./store";

/**
 * Does something while no other command changes the container: they wait for one another (flock(2) on its directory).
 * @throws RunvError CONTAINER_UNKNOWN, and what `action` throws
 */
export async function withLock<T>(root: string, id: string, action: () => T | Promise<T>): Promise<T> {
  const directory = containerDirectory(root, id);
  for (;;) {
    const fd = open(directory);
    try {
      await lock(fd);
      // While this waited, the container may have been deleted, and another one made with its id.
      if (isStill(fd, directory)) return await action();
    } finally {
      closeSync(fd);
    }
  }
}

/** Waits without blocking: in a daemon it may be this very process that holds the lock. Nothing tells that it is free. */
async function lock(fd: number): Promise<void> {
  while (!tryLock(fd)) await Bun.sleep(5);
}

function open(directory: string): number {
  try {
    return openSync(directory, "r");
  } catch (cause) {
    throw new RunvError("CONTAINER_UNKNOWN", "container does not exist", { cause });
  }
}
