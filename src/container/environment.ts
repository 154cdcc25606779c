/** What runc makes of the environment of every process. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { openInRoot, pathOf } from "../linux/beneath";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../linux/constants";
import { syscall } from "../linux/local";
import { findUser } from "../linux/passwd";
import { lastOfEach } from "../oci/environment";
import type { Process } from "../oci/process";

/** The process with each name once in its environment, and HOME set, from the container's /etc/passwd unless it has one that is not empty. */
export function withEnvironment(process: Process, rootfs: string): Process {
  const env = lastOfEach(process.env).filter((entry) => entry !== "HOME=");
  if (!env.some((entry) => entry.startsWith("HOME="))) env.push(`HOME=${homeOf(rootfs, process.user.uid)}`);
  return { ...process, env };
}

/** The home directory of a user as passwd(5) of a root file system has it; / when it does not. */
function homeOf(rootfs: string, uid: number): string {
  const home = findUser(readInRoot(rootfs, "/etc/passwd"), uid)?.home ?? "";
  return home.startsWith("/") && !home.includes("\0") ? home : "/";
}

/** More of a file than this is not looked at. */
const most = 1 << 20;

/**
 * The beginning of a file of a root file system; empty when it is not there. No link of it leads out (openat2(2)), and what is no plain file
 * is not even opened: an image may have a device of this host there.
 */
function readInRoot(rootfs: string, path: string): string {
  const opened: number[] = [];
  try {
    const root = syscall("openat", AT_FDCWD, rootfs, O_RDONLY | O_CLOEXEC, 0);
    opened.push(root);
    const found = openInRoot(root, path);
    opened.push(found);
    if (!fstatSync(found).isFile()) return "";
    const file = openSync(pathOf(found), "r");
    opened.push(file);
    const content = Buffer.alloc(Math.min(most, fstatSync(file).size));
    return content.toString("utf8", 0, readSync(file, content));
  } catch {
    return "";
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
