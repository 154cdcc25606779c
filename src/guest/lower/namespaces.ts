import { RunvError } from "../../base/error";
import { CLONE_NEWNS } from "../../linux/constants";
import { type Namespace, type NamespaceType, namespaceKinds } from "../../oci/namespaces";

/** The namespaces of other processes of the guest that a container joins: for each type the process's handle. */
export type JoinedNamespaces = ReadonlyMap<NamespaceType, number>;

/** Where a container's first process is to live. */
export interface NamespacePlan {
  /** CLONE_NEW* bits for its clone. */
  clone: number;
  /** What it makes for itself later. */
  cgroup: boolean;
  time: boolean;
  user: boolean;
  /** The process whose user namespace it enters, with those in `owned` made in it; 0 for none. */
  userOf: number;
  /** CLONE_NEW* bits of what it makes once it is in that. */
  owned: number;
  /** Processes whose namespaces it enters, with the bits for setns(2); pid and network namespaces are not among them. */
  joins: ReadonlyMap<number, number>;
  /** The process in whose pid namespace it is born; 0 for none. */
  pid: number;
  /** The process whose network namespace it enters; 0 for none: it stays in the guest's own. */
  network: number;
}

/**
 * Sorts the namespaces of a container.
 * @param cloned those that its first process is cloned into; a user namespace owns the others then. The cgroup namespace is entered once the
 *   process is in its cgroup, the time namespace once its clocks are set
 * @param joined what the paths in them stand for
 * @throws RunvError CONFIG_UNSUPPORTED for a path that leads to none of the machine's namespaces, and where others are to be joined by a container
 *   with a user namespace of its own
 */
export function planNamespaces(
  namespaces: readonly Namespace[],
  cloned: readonly NamespaceType[],
  joined: JoinedNamespaces = new Map(),
): NamespacePlan {
  let clone = CLONE_NEWNS;
  let [pid, network, userOf] = [0, 0, 0];
  const joins = new Map<number, number>();
  for (const [index, { type, path }] of namespaces.entries()) {
    const { flag } = namespaceKinds[type];
    const handle = joined.get(type);
    if (handle !== undefined && type === "pid") pid = handle;
    else if (handle !== undefined && type === "network") network = handle;
    else if (handle !== undefined && type === "user") userOf = handle;
    else if (handle !== undefined) joins.set(handle, (joins.get(handle) ?? 0) | flag);
    else if (path !== undefined && type !== "network") {
      const field = `linux.namespaces[${index}].path`;
      throw new RunvError("CONFIG_UNSUPPORTED", `${field}: the ${type} namespace is not of this container's machine`);
    } else if (cloned.includes(type)) clone |= flag;
  }
  const own = (type: NamespaceType) => has(namespaces, type) && !joined.has(type);
  if (joined.size > 0 && own("user")) throw withUser(namespaces);
  const made = { cgroup: own("cgroup"), time: own("time"), user: own("user") };
  // In a user namespace that is there already a process cannot be born with others that this one owns: it enters that first.
  if (userOf !== 0) return { ...made, clone: 0, owned: clone, userOf, joins, pid, network };
  return { ...made, clone, owned: 0, userOf, joins, pid, network };
}

/** A user namespace has no power over namespaces that were made outside of it, nor over a mount namespace that its process has been cloned into. */
function withUser(namespaces: readonly Namespace[]): RunvError {
  const field = `linux.namespaces[${namespaces.findIndex(({ type }) => type === "user")}]`;
  const message = `${field}: a container with a user namespace of its own cannot join namespaces of another container`;
  return new RunvError("CONFIG_UNSUPPORTED", message, {
    hint: "join the other's user namespace as well (podman: --userns container:ID), or leave it out, of both (Docker: --userns host)",
  });
}

/** The bits for setns(2) with which a further process enters all namespaces of the first but its pid namespace. */
export function enterFlags(namespaces: readonly Namespace[]): number {
  const types: NamespaceType[] = ["uts", "ipc", "user", "cgroup", "time", "network"];
  return types.reduce((flags, type) => flags | (has(namespaces, type) ? namespaceKinds[type].flag : 0), CLONE_NEWNS);
}

/** Whether the container has a namespace of this type to itself. */
export function has(namespaces: readonly Namespace[], type: NamespaceType): boolean {
  return namespaces.some((namespace) => namespace.type === type);
}
