import { RunvError } from "../../base/error";
import { CLONE_NEWNS } from "../../linux/constants";
import { type Namespace, type NamespaceType, namespaceKinds } from "../../oci/namespaces";

/**
 * Namespaces that a container's first process is cloned into. The network is the machine's: the machine is in the
 * container's network namespace on the host. The cgroup namespace is entered once the process is in its cgroup.
 */
const cloned: readonly NamespaceType[] = ["pid", "uts", "ipc"];
const unsupported: readonly NamespaceType[] = ["user", "time"];

/** The CLONE_NEW* bits for a container. @throws RunvError CONFIG_UNSUPPORTED */
export function cloneFlags(namespaces: readonly Namespace[]): number {
  let flags = CLONE_NEWNS;
  for (const [index, { type, path }] of namespaces.entries()) {
    const field = `linux.namespaces[${index}]`;
    if (unsupported.includes(type)) {
      throw new RunvError(
        "CONFIG_UNSUPPORTED",
        `${field}: a ${type} namespace inside the machine is not supported yet`,
      );
    }
    if (path !== undefined && type !== "network") {
      throw new RunvError("CONFIG_UNSUPPORTED", `${field}.path: joining a ${type} namespace is not supported yet`, {
        hint: "containers in one virtual machine are to come with pods",
      });
    }
    if (cloned.includes(type)) flags |= namespaceKinds[type].flag;
  }
  return flags;
}

/** Whether the container has a namespace of this type to itself. */
export function has(namespaces: readonly Namespace[], type: NamespaceType): boolean {
  return namespaces.some((namespace) => namespace.type === type);
}
