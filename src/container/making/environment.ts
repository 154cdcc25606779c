/** What runc makes of the environment of every process. */
import { findUser } from "../../linux/passwd";
import { lastOfEach } from "../../oci/environment";
import type { Process } from "../../oci/process";
import type { ContainerRecord } from "../record/store";
import { readInRoot } from "./read-in-root";

/**
 * The process with each name once in its environment, and HOME set, from the container's /etc/passwd unless it has one that is not empty.
 * @param passwd the text of that file, if it is asked for
 */
export function withEnvironment(process: Process, passwd: () => string): Process {
  const env = lastOfEach(process.env).filter((entry) => entry !== "HOME=");
  if (!env.some((entry) => entry.startsWith("HOME="))) env.push(`HOME=${homeOf(passwd(), process.user.uid)}`);
  return { ...process, env };
}

/** Reads passwd(5) of a container's root file system; of one that is a disk, it is what it was when that was created. */
export function passwdOf({ rootfs, passwd }: Pick<ContainerRecord, "rootfs" | "passwd">): () => string {
  return () => passwd ?? readInRoot(rootfs, "/etc/passwd", most).toString();
}

/** The home directory of a user as passwd(5) has it; / when it does not. */
function homeOf(passwd: string, uid: number): string {
  const home = findUser(passwd, uid)?.home ?? "";
  return home.startsWith("/") && !home.includes("\0") ? home : "/";
}

/** More of a file than this is not looked at. */
const most = 1 << 20;
