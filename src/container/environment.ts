/** What runc makes of the environment of every process. */
import { findUser } from "../linux/passwd";
import { lastOfEach } from "../oci/environment";
import type { Process } from "../oci/process";
import { readInRoot } from "./read-in-root";

/** The process with each name once in its environment, and HOME set, from the container's /etc/passwd unless it has one that is not empty. */
export function withEnvironment(process: Process, rootfs: string): Process {
  const env = lastOfEach(process.env).filter((entry) => entry !== "HOME=");
  if (!env.some((entry) => entry.startsWith("HOME="))) env.push(`HOME=${homeOf(rootfs, process.user.uid)}`);
  return { ...process, env };
}

/** The home directory of a user as passwd(5) of a root file system has it; / when it does not. */
function homeOf(rootfs: string, uid: number): string {
  const home = findUser(readInRoot(rootfs, "/etc/passwd", most).toString(), uid)?.home ?? "";
  return home.startsWith("/") && !home.includes("\0") ? home : "/";
}

/** More of a file than this is not looked at. */
const most = 1 << 20;
