/** Namespaces of this machine (namespaces(7)): of mounts, and those of networks by descriptors. */
import { closeSync, fstatSync, openSync, readlinkSync, statSync } from "node:fs";
import { CLONE_NEWNET, CLONE_NEWNS, MS_BIND, MS_REC } from "./constants";
import { SystemError, syscall } from "./local";

/** The namespace in which this thread is. */
const here = "/proc/thread-self/ns/net";

/**
 * Gives this thread a mount namespace of its own. In a chroot on a plain directory, which takes no propagation and no pivot_root(2), the
 * root becomes a mount of that directory.
 * @param propagation of all its mounts: MS_SLAVE or MS_PRIVATE (mount_namespaces(7))
 * @throws SystemError
 */
export function makeMountNamespace(propagation: number): void {
  syscall("unshare", CLONE_NEWNS);
  try {
    syscall("mount", "none", "/", 0, MS_REC | propagation, 0);
  } catch (error) {
    if (!(error instanceof SystemError && error.code === "EINVAL")) throw error;
    syscall("mount", "/", "/", 0, MS_BIND | MS_REC, 0);
    // What lies on the root is reached from above it only.
    syscall("chdir", "/..");
    syscall("chroot", ".");
    syscall("mount", "none", "/", 0, MS_REC | propagation, 0);
  }
}

/** Makes a new network namespace. @returns its descriptor @throws SystemError */
export function makeNetworkNamespace(): number {
  return returning(() => {
    syscall("unshare", CLONE_NEWNET);
    return openSync(here, "r");
  });
}

/**
 * Does something with this thread, the one of JavaScript, in another network namespace. What is started there stays there; what
 * goes on after an `await` does not.
 * @throws SystemError, and what `action` throws
 */
export function inNetworkNamespace<T>(namespace: number, action: () => T): T {
  return returning(() => {
    syscall("setns", namespace, CLONE_NEWNET);
    return action();
  });
}

/** Whether a namespace is the one that this thread is in, or that of the machine's first process. */
export function isHostNamespace(namespace: number): boolean {
  const { dev, ino } = fstatSync(namespace);
  return [here, "/proc/1/ns/net"].some((path) => {
    try {
      const other = statSync(path);
      return other.dev === dev && other.ino === ino;
    } catch {
      // Not everybody may look at the first process.
      return false;
    }
  });
}

function returning<T>(action: () => T): T {
  const home = openSync(here, "r");
  try {
    return action();
  } finally {
    syscall("setns", home, CLONE_NEWNET);
    closeSync(home);
  }
}

/** In which user and pid namespaces this process is: who is in the same ones has the same ids of users and processes. */
export function idNamespaces(): string {
  return ["user", "pid"].map((name) => readlinkSync(`/proc/self/ns/${name}`)).join(" ");
}
