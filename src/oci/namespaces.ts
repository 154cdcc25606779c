/** linux.namespaces: config-linux.md, "Namespaces". */
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../linux/constants";
import { refuse } from "./mismatch";
import { type Infer, list, object, optionalString } from "./reader";
import { absolutePath, oneOf } from "./scalars";

/** Each namespace by the specification's name: its clone(2) flag and its file in /proc/PID/ns. */
export const namespaceKinds = {
  cgroup: { flag: CLONE_NEWCGROUP, file: "cgroup" },
  ipc: { flag: CLONE_NEWIPC, file: "ipc" },
  mount: { flag: CLONE_NEWNS, file: "mnt" },
  network: { flag: CLONE_NEWNET, file: "net" },
  pid: { flag: CLONE_NEWPID, file: "pid" },
  time: { flag: CLONE_NEWTIME, file: "time" },
  user: { flag: CLONE_NEWUSER, file: "user" },
  uts: { flag: CLONE_NEWUTS, file: "uts" },
} as const;

export type NamespaceType = keyof typeof namespaceKinds;

export const namespaceTypes = Object.keys(namespaceKinds) as NamespaceType[];

const namespace = object({
  type: oneOf("namespace", namespaceTypes),
  /** An existing namespace to join; without it a new one is made. */
  path: optionalString(absolutePath),
});

export const namespaces = list(namespace);

export interface Namespace extends Infer<typeof namespace> {}

/** The namespace of a type that a container asks for; undefined when it stays in the runtime's. */
export function findNamespace(all: readonly Namespace[], type: NamespaceType): Namespace | undefined {
  return all.find((namespace) => namespace.type === type);
}

/** Refuses a type that is named twice. */
export function checkNamespaces(all: readonly Namespace[]): void {
  for (const [index, { type }] of all.entries()) {
    if (all.findIndex((other) => other.type === type) < index) {
      refuse(`linux.namespaces[${index}].type`, `duplicate namespace "${type}"`);
    }
  }
}
