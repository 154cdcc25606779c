/** Where the shims of containerd have what is theirs, below runv's own root: names with a dot are no container's there. */
import { sha256 } from "../base/random";

/** The containers' store of a namespace of containerd. What `runv --root` takes. */
export function rootOf(root: string, namespace: string): string {
  return `${root}/.containerd/${namespace}`;
}

/**
 * The directory of a shim: of a task, or of the pod that it is in. Namespaces do not begin with a dot.
 * @param address containerd's own, for there may be several
 * @param group the id of the task, or of its pod's first
 */
export function shimDirectory(root: string, address: string, namespace: string, group: string): string {
  const hash = sha256([address, namespace, group].join("\0")).slice(0, 16);
  return `${root}/.containerd/.shims/${hash}`;
}

/** The socket on which a shim serves. */
export function socketOf(directory: string): string {
  return `${directory}/s`;
}
