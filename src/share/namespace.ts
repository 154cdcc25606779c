import { mkdirSync } from "node:fs";
import { MS_NODEV, MS_NOSUID, MS_SHARED, MS_SLAVE } from "../linux/constants";
import { syscall } from "../linux/local";
import { makeMountNamespace } from "../linux/namespaces";

/**
 * Gives this process a mount namespace of its own, in which mounts of the host still arrive, and makes `directory` the root of a
 * share in it: an empty tmpfs, on which trees are attached. It all vanishes with the last process in the namespace, so
 * a crash leaves no mount behind.
 * @throws SystemError
 */
export function enterShareNamespace(directory: string): void {
  mkdirSync(directory, { recursive: true });
  makeMountNamespace(MS_SLAVE);
  syscall("mount", "share", directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=700,size=1m");
  // QEMU may live in a namespace below this one: what is attached later must reach it.
  syscall("mount", "none", directory, 0, MS_SHARED, 0);
}
