/** What runc adds to the environment of every process. */
import { readFileSync } from "node:fs";
import { AT_FDCWD, O_CLOEXEC, O_NONBLOCK, O_RDONLY, RESOLVE_IN_ROOT } from "../linux/constants";
import { syscall } from "../linux/local";
import { findUser } from "../linux/passwd";
import type { Process } from "../oci/process";

/** The process with HOME set, from the container's /etc/passwd, unless its environment has one. */
export function withHome(process: Process, rootfs: string): Process {
  if (process.env.some((entry) => entry.startsWith("HOME="))) return process;
  return { ...process, env: [...process.env, `HOME=${homeOf(rootfs, process.user.uid)}`] };
}

/** The home directory of a user as passwd(5) of a root file system has it; / when it does not. */
function homeOf(rootfs: string, uid: number): string {
  const home = findUser(readInRoot(rootfs, "/etc/passwd"), uid)?.home ?? "";
  return home.startsWith("/") && !home.includes("\0") ? home : "/";
}

/** A file of a root file system; empty when it is not there. No link of it leads out (openat2(2)). */
function readInRoot(rootfs: string, path: string): string {
  let root: number | undefined;
  let file: number | undefined;
  try {
    root = syscall("openat", AT_FDCWD, rootfs, O_RDONLY | O_CLOEXEC, 0);
    const how = new BigUint64Array([BigInt(O_RDONLY | O_CLOEXEC | O_NONBLOCK), 0n, BigInt(RESOLVE_IN_ROOT)]);
    file = syscall("openat2", root, path, new Uint8Array(how.buffer), 24);
    return readFileSync(file, "utf8");
  } catch {
    return "";
  } finally {
    for (const fd of [root, file]) if (fd !== undefined) syscall("close", fd);
  }
}
