import { closeSync } from "node:fs";
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

/** Does something with another process's descriptor: what `action` does before its first `await`. @throws SystemError */
export function withDescriptor<T>({ pid, fd }: { pid: number; fd: number }, action: (fd: number) => T): T {
  const own = takeDescriptor(pid, fd);
  try {
    return action(own);
  } finally {
    closeSync(own);
  }
}
