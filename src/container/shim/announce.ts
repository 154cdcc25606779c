/** Tells callers which process of the host stands for a process of a container. */
import { renameSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { RunvError } from "../../base/error";
import { syscall } from "../../linux/local";
import { sendDescriptor } from "../../linux/send-descriptor";
import type { CreateOptions } from "../options";

type Announcement = Pick<CreateOptions, "pidFile" | "pidfdSocket">;

/** Writes the pid file and sends the pidfd, where they are asked for. @throws RunvError PID_FILE, PIDFD_SOCKET */
export function announce(pid: number, { pidFile, pidfdSocket }: Announcement): void {
  if (pidFile !== undefined) writePidFile(pidFile, pid);
  if (pidfdSocket !== undefined) sendPidfd(pidfdSocket, pid);
}

/** Refuses to pass descriptors on: they are of this kernel, and the container's is another. @throws RunvError UNSUPPORTED */
export function refusePreservedFds({ preserveFds }: Pick<CreateOptions, "preserveFds">): void {
  if (preserveFds === 0) return;
  throw new RunvError(
    "UNSUPPORTED",
    `--preserve-fds ${preserveFds}: descriptors cannot be passed into a virtual machine`,
    {
      hint: "give the container a socket or a file as a bind mount",
    },
  );
}

/** Writes a process id, with no newline, so that a reader sees all of it or nothing. */
function writePidFile(path: string, pid: number): void {
  const next = `${dirname(path)}/.${basename(path)}`;
  try {
    writeFileSync(next, String(pid), { mode: 0o666 });
    renameSync(next, path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "its directory does not exist" : code;
    throw new RunvError("PID_FILE", `write the pid file ${path}: ${why}`, { cause });
  }
}

function sendPidfd(socket: string, pid: number): void {
  const pidfd = syscall("pidfd_open", pid, 0);
  try {
    sendDescriptor(socket, pidfd, "pidfd");
  } catch (cause) {
    throw new RunvError("PIDFD_SOCKET", `send the pidfd to ${socket}: ${(cause as Error).message}`, { cause });
  } finally {
    syscall("close", pidfd);
  }
}
