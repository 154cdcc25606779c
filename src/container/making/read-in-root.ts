import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { openInRoot, pathOf } from "../../linux/beneath";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../../linux/constants";
import { syscall } from "../../linux/local";

/**
 * The beginning of a file of a root file system. No link of it leads out (openat2(2)), and what is no plain file is not even opened: an image may have a
 * device of this host there.
 * @param most how many bytes at most
 * @returns empty when it is not there
 */
export function readInRoot(rootfs: string, path: string, most: number): Buffer {
  const opened: number[] = [];
  try {
    const root = syscall("openat", AT_FDCWD, rootfs, O_RDONLY | O_CLOEXEC, 0);
    opened.push(root);
    const found = openInRoot(root, path);
    opened.push(found);
    if (!fstatSync(found).isFile()) return Buffer.alloc(0);
    const file = openSync(pathOf(found), "r");
    opened.push(file);
    const content = Buffer.alloc(Math.min(most, fstatSync(file).size));
    return content.subarray(0, readSync(file, content));
  } catch {
    return Buffer.alloc(0);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
