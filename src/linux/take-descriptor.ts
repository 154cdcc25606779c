import { syscall } from "./local";

/** A copy of another process's descriptor (pidfd_getfd(2)). @throws SystemError */
export function takeDescriptor(pid: number, fd: number): number {
  const pidfd = syscall("pidfd_open", pid, 0);
  try {
    return syscall("pidfd_getfd", pidfd, fd, 0);
  } finally {
    syscall("close", pidfd);
  }
}
