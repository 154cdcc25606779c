/**
 * Pods: a container that asks for namespaces of another one runs in that one's machine. CRI, podman's pods and Docker's `--network
 * container:ID` name them by the pid of the other container, which is its shim.
 */
import { statSync } from "node:fs";
import { RunvError } from "../../base/error";
import { type Identity, isAlive } from "../../linux/identity";
import type { Config } from "../../oci/config";
import { isIdMapped, type Mount } from "../../oci/mounts";
import { findNamespace, type Namespace, type NamespaceType } from "../../oci/namespaces";
import type { Resources } from "../../oci/resources";
import type { IdMap } from "../../share/id-map";
import { statusOf } from "../record/status";
import { type ContainerRecord, listIds, tryReadRecord } from "../record/store";

/** The machine that a container is to share. */
export interface Pod {
  /** A container that runs in it. */
  member: ContainerRecord;
  /** The processes in the guest whose namespaces are joined: for each type a handle. */
  joined: ReadonlyMap<NamespaceType, number>;
}

/**
 * Finds the machine in which the namespaces are that a container asks for; undefined when it is to have one of its own. A network namespace may be
 * another than that of the machine: it gets one more network then.
 * @throws RunvError CONFIG_UNSUPPORTED when they are of several machines
 */
export function findPod(root: string, namespaces: readonly Namespace[]): Pod | undefined {
  const network = networkPath(namespaces);
  const processes = namespaces.flatMap(({ type, path }, index) => {
    const pid = processOf(path);
    return pid === undefined || type === "network" ? [] : [{ type, pid, index }];
  });
  const isShared = network !== undefined && !isHosts(network);
  if (!isShared && processes.length === 0) return undefined;
  const running = membersOf(root);
  let member = isShared ? running.find(({ shim }) => same(networkOf(shim), network)) : undefined;
  const joined = new Map<NamespaceType, number>();
  for (const { type, pid, index } of processes) {
    const other = running.find(({ shim }) => shim?.pid === pid);
    if (other?.init === undefined) continue;
    member ??= other;
    if (other.sandbox !== member.sandbox) throw elsewhere(`linux.namespaces[${index}].path`, type, other.id, member.id);
    joined.set(type, other.init);
  }
  if (member !== undefined && !isShared && network !== undefined && !same(networkOf(member.monitor), network)) {
    throw hostElsewhere(member.id);
  }
  return member && { member, joined };
}

/**
 * The configuration with the mappings of the user namespace that it joins for those mounts that are to have the container's: `idmap` without mappings.
 * The namespace is another container's, which knows them.
 */
export function withJoinedOwners<Wanted extends Pick<Config, "mounts" | "linux">>(
  root: string,
  config: Wanted,
): Wanted {
  const takes = (mount: Mount) => isIdMapped(mount) && mount.uidMappings === undefined;
  const owners = config.mounts.some(takes) ? ownersOf(config.linux.namespaces, membersOf(root)) : undefined;
  if (owners === undefined) return config;
  const mappings = { uidMappings: [...owners.uids], gidMappings: [...owners.gids] };
  return { ...config, mounts: config.mounts.map((mount) => (takes(mount) ? { ...mount, ...mappings } : mount)) };
}

/** Of the user namespace at a path; whose it is may have joined it, too. */
function ownersOf(namespaces: readonly Namespace[], running: readonly ContainerRecord[]): IdMap | undefined {
  const pid = processOf(findNamespace(namespaces, "user")?.path);
  const other = running.find(({ shim }) => pid !== undefined && shim?.pid === pid);
  return other && (other.owners ?? ownersOf(other.namespaces, running));
}

/** The containers that run in a machine besides one. */
export function othersIn(root: string, { sandbox, id }: ContainerRecord): ContainerRecord[] {
  return membersOf(root).filter((other) => other.sandbox === sandbox && other.id !== id);
}

/** What a machine must have room for: the limits of a pod where the client tells them with its first container. */
export function machineResources({ annotations, linux: { resources } }: Config): Resources | undefined {
  if (annotations["io.kubernetes.cri.container-type"] !== "sandbox") return resources;
  const of = (name: string) =>
    Number(/^\d{1,15}$/.exec(annotations[`io.kubernetes.cri.sandbox-${name}`] ?? "")?.[0] ?? 0);
  const [limit, quota, period] = [of("memory"), of("cpu-quota"), of("cpu-period")];
  return {
    devices: [],
    hugepageLimits: [],
    ...resources,
    ...(limit > 0 && { memory: { limit } }),
    ...(quota > 0 && { cpu: { quota, period } }),
  };
}

/** The process whose namespace is at a path. */
function processOf(path: string | undefined): number | undefined {
  const pid = /^\/proc\/(\d+)\/ns\/\w+$/.exec(path ?? "")?.[1];
  return pid === undefined ? undefined : Number(pid);
}

function membersOf(root: string): ContainerRecord[] {
  return listIds(root).flatMap((id) => {
    const record = tryReadRecord(root, id);
    const lives = record?.shim !== undefined && isAlive(record.shim) && statusOf(root, record) !== "stopped";
    return lives && record.init !== undefined ? [record] : [];
  });
}

/** The network namespace that a container asks for; undefined: a new one. */
function networkPath(namespaces: readonly Namespace[]): string | undefined {
  const wanted = findNamespace(namespaces, "network");
  return wanted === undefined ? "/proc/self/ns/net" : wanted.path;
}

function networkOf(process: Identity | undefined): string {
  return `/proc/${process?.pid}/ns/net`;
}

/** Whether a namespace is the one that this command is in, or that of the machine's first process. */
function isHosts(path: string): boolean {
  return same(path, "/proc/self/ns/net") || same(path, "/proc/1/ns/net");
}

function same(one: string, other: string | undefined): boolean {
  if (other === undefined) return false;
  try {
    const [a, b] = [statSync(one), statSync(other)];
    return a.ino === b.ino && a.dev === b.dev;
  } catch {
    // It has gone, or this user may not look at it.
    return false;
  }
}

function elsewhere(field: string, type: NamespaceType, id: string, member: string): RunvError {
  const message = `${field}: the ${type} namespace is of container ${id}, which is not in the virtual machine of container ${member}`;
  const hint = `a container is in one virtual machine: share with ${id}, or with ${member}, or with containers that share a machine with it`;
  return new RunvError("CONFIG_UNSUPPORTED", message, { hint });
}

function hostElsewhere(id: string): RunvError {
  const message = `linux.namespaces: the host's network is for containers whose virtual machine has it, and that of container ${id} has a network of its own`;
  return new RunvError("CONFIG_UNSUPPORTED", message, {
    hint: `share the network of ${id} as well, or give this one its own`,
  });
}
