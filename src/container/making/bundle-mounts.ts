import { closeSync, fstatSync, readlinkSync } from "node:fs";
import { resolve } from "node:path";
import { RunvError } from "../../base/error";
import type { BoundSource } from "../../guest/lower/bind";
import { sortMountOptions } from "../../guest/lower/mount-flags";
import { memoryPlace, type SharedMemory } from "../../guest/memory";
import { sharePath } from "../../guest/places";
import { pathOf } from "../../linux/beneath";
import {
  AT_FDCWD,
  MOUNT_ATTR_RDONLY,
  MS_PRIVATE,
  MS_REC,
  MS_SLAVE,
  MS_UNBINDABLE,
  OPEN_TREE_CLOEXEC,
} from "../../linux/constants";
import { SystemError, syscall } from "../../linux/local";
import { mountOf, mountsBelow, readMountInfo } from "../../linux/mounts";
import type { Bundle } from "../../oci/bundle";
import type { Config } from "../../oci/config";
import { isBind, type Mount } from "../../oci/mounts";
import type { SandboxClient } from "../../sandbox/client";
import { idMapNamespace, servers } from "../../share/id-map";
import { detachedOverlay } from "../../share/overlay";
import { openTree, type TreeAttributes, unchanged } from "../../share/tree";
import type { RootView } from "../shim/root-view";
import { sourceInRoot } from "./earlier-mounts";
import { idMapOf, type MountIdMap, mapTree } from "./id-map";
import { sharedMemory } from "./shared-memory";

/**
 * Something of the host that a container is to see: its root file system, or the source of a bind mount. Its path is resolved once: what is on the way
 * may be somebody's who changes it.
 */
export interface SharedTree {
  /** On the host. */
  source: string;
  /** The same as a descriptor. */
  place: number;
  /** It is a mount that is attached nowhere yet: the share has the one that there is. */
  detached?: boolean;
  /** Below the share. */
  path: string;
  directory: boolean;
  recursive: boolean;
  /** The machine has its own: what is in /proc and /sys is of a kernel, and the container's is the machine's. */
  own: boolean;
  /** The machine has this in its place, for all containers that share it. */
  memory?: SharedMemory | undefined;
  /** Options of the host's mount that hold for the processes of the container, too. */
  inherited: readonly string[];
  /** What it is on the host, whatever the guest makes of it. */
  attributes: TreeAttributes;
  /** Its owners are mapped: by a user namespace, once there is one. */
  idMap?: MountIdMap & { namespace?: number };
  /** What it is, for errors: `mounts[3].source`. */
  field: string;
}

/** Where the guest finds a container's root file system. */
export function guestRootfs(id: string): string {
  return `${sharePath}/${rootPath(id)}`;
}

/** The same, below the share. */
export function rootPath(id: string): string {
  return `${id}/rootfs`;
}

const rootField = "root.path";

/** Whether it is the root file system. */
export function isRoot({ field }: SharedTree): boolean {
  return field === rootField;
}

/**
 * What of the host a container needs.
 * @returns what is to be closed again: `closeTrees`
 * @throws RunvError MOUNT_SOURCE when the source of a bind mount is missing
 */
export function openTrees(id: string, bundle: Bundle): SharedTree[] {
  const root = openRoot(id, bundle);
  try {
    return [root, ...openMounts(id, bundle)];
  } catch (error) {
    closeTrees([root]);
    throw error;
  }
}

/** The root file system alone, and what else there is. @throws RunvError MOUNT_SOURCE */
export function openRoot(id: string, bundle: Bundle): SharedTree {
  return rootOf(id, bundle, readMountInfo());
}

export function openMounts(id: string, bundle: Bundle): SharedTree[] {
  const trees: SharedTree[] = [];
  try {
    const mountinfo = readMountInfo();
    for (const [index, mount] of bundle.config.mounts.entries()) {
      if (sourceInRoot(bundle, index) !== undefined) continue;
      if (isBind(mount)) trees.push(boundTree(id, bundle, index, mountinfo));
      else if (mount.type === "overlay") trees.push(overlayTree(id, mount, index));
    }
    return trees;
  } catch (error) {
    closeTrees(trees);
    throw error;
  }
}

export function closeTrees(trees: readonly SharedTree[]): void {
  for (const { place, idMap } of trees) {
    closeSync(place);
    if (idMap?.namespace !== undefined) closeSync(idMap.namespace);
  }
}

function rootOf(id: string, { rootfs }: Bundle, mountinfo: string): SharedTree {
  const place = openPlace(rootfs, rootField);
  const path = rootPath(id);
  // What is to be mounted in it may need a place there first: it is made read-only when it is ready.
  const attributes = unchanged;
  const inherited = inheritable(place, mountinfo);
  const tree = { source: rootfs, place, path, directory: true, recursive: true, own: false, inherited, attributes };
  return { ...tree, field: rootField };
}

/** Makes the user namespaces by which ids are mapped. @throws RunvError MOUNT_IDMAP */
export async function prepareIdMaps(trees: readonly SharedTree[]): Promise<void> {
  for (const { idMap } of trees) if (idMap !== undefined) idMap.namespace = await idMapNamespace(idMap.map, [servers]);
}

function boundTree(id: string, { bundle, config }: Bundle, index: number, mountinfo: string): SharedTree {
  const mount = config.mounts[index]!;
  const field = `mounts[${index}].source`;
  const source = resolve(bundle, mount.source ?? "");
  const own = /^\/(proc|sys)(\/|$)/.test(source);
  const idMap = idMapOf(config, index, mount);
  if (own && idMap !== undefined) {
    throw new RunvError("CONFIG_UNSUPPORTED", `mounts[${index}]: the ids of ${source} cannot be mapped`);
  }
  const place = openPlace(source, field);
  try {
    return {
      ...{ source, place, field },
      path: `${id}/${index}`,
      directory: isDirectory(place, source, field),
      recursive: mount.options.includes("rbind"),
      own,
      inherited: own ? [] : inheritedOptions(config, index, inheritable(place, mountinfo)),
      attributes: onHost(mount.options),
      memory: idMap === undefined ? sharedMemory(place, mount.destination) : undefined,
      ...(idMap !== undefined && { idMap }),
    };
  } catch (error) {
    closeSync(place);
    throw error;
  }
}

/** An overlay of directories of the host, which that mounts as the guest cannot: its share has no upper layers. */
function overlayTree(id: string, { options }: Mount, index: number): SharedTree {
  const field = `mounts[${index}]`;
  const place = detachedOverlay(sortMountOptions(options).data, field);
  return {
    ...{ source: "an overlay", place, detached: true, path: `${id}/${index}`, directory: true, recursive: false },
    ...{ own: false, inherited: [], attributes: onHost(options), field },
  };
}

/** What processes find in a mount's options, and a bind mount of it takes over; all but the last are locked in a user namespace (mount_namespaces(7)). */
const [locked, unlocked] = [["ro", "nosuid", "nodev", "noexec"], "nosymfollow"];

/** Those of the mount in which a place is. Times hold on the host. */
function inheritable(place: number, mountinfo: string): string[] {
  const all = [...locked, unlocked];
  return mountOf(place, mountinfo)?.options.filter((option) => all.includes(option)) ?? [];
}

/**
 * Which of them a bind mount has, as with runc: all, where it has no such options of its own; else what a user namespace locks, in one. What is only to be
 * read stays so unless it is said otherwise.
 * @throws RunvError CONFIG_UNSUPPORTED when it is to be without what is locked
 */
function inheritedOptions({ linux, mounts }: Config, index: number, held: readonly string[]): readonly string[] {
  const { set, clear } = sortMountOptions(mounts[index]!.options).attributes;
  if (set === 0 && clear === 0) return held;
  if (!linux.namespaces.some(({ type }) => type === "user")) return held.filter((option) => option === "ro");
  const kept = held.filter((option) => locked.includes(option));
  const lost = kept.find((option) => clear & sortMountOptions([option]).attributes.set);
  if (lost === undefined) return kept;
  const message = `mounts[${index}].options: a mount in a user namespace has what its source's has: ${lost} (operation not permitted)`;
  throw new RunvError("CONFIG_UNSUPPORTED", message, {
    hint: `leave the option out, or mount the source without ${lost}`,
  });
}

/**
 * Whether it can be written to is the host's matter, and whether what is mounted there later arrives; all other attributes hold in the guest,
 * whose processes they are for.
 */
function onHost(options: readonly string[]): TreeAttributes {
  const { attributes, recursiveAttributes, propagation } = sortMountOptions(options);
  const last = propagation.at(-1) ?? MS_SLAVE;
  const isolated = (last & (MS_PRIVATE | MS_UNBINDABLE)) === 0 ? undefined : (last & MS_REC) === 0 ? "root" : "all";
  const masked = ({ set, clear }: { set: number; clear: number }) => ({
    set: set & MOUNT_ATTR_RDONLY,
    clear: clear & MOUNT_ATTR_RDONLY,
  });
  return { root: masked(attributes), all: masked(recursiveAttributes), ...(isolated && { isolated }) };
}

/** For each bind mount, by its index in config.json, where the guest finds its source. */
export function sourcesOf(id: string, bundle: Bundle, trees: readonly SharedTree[]): Map<number, BoundSource> {
  const mounts = trees.filter((tree) => !isRoot(tree));
  const sources = new Map(mounts.map((tree) => [Number(tree.path.slice(id.length + 1)), boundSource(tree)]));
  for (const index of bundle.config.mounts.keys()) {
    const made = sourceInRoot(bundle, index);
    if (made !== undefined) sources.set(index, made);
  }
  return sources;
}

/** What is mounted in a directory of the host is one with it on the share; in the guest it is a mount again. */
function boundSource({ source, place, path, directory, recursive, own, inherited, memory }: SharedTree): BoundSource {
  if (memory !== undefined) return { path: memoryPlace(memory.name), directory };
  const below = recursive && directory && !own ? mountsBelow(readlinkSync(pathOf(place))) : [];
  return { path: own ? source : `${sharePath}/${path}`, directory, inherited, ...(below.length > 0 && { below }) };
}

/** The same for the shim: the host's side of the container's file system, as descriptors of this process. */
export function viewOf({ config }: Bundle, trees: readonly SharedTree[]): RootView {
  const binds = trees.flatMap(({ place, detached, recursive, own, attributes, idMap, field }) => {
    const mount = config.mounts[Number(/^mounts\[(\d+)\]/.exec(field)?.[1])];
    return mount === undefined || own || detached
      ? []
      : [{ place, recursive, attributes, idMap, destination: mount.destination }];
  });
  return { holder: process.pid, root: trees.find(isRoot)!.place, readonly: config.root.readonly, binds };
}

/** Puts trees into the share of a sandbox. @throws RunvError MOUNT_SOURCE */
export async function shareTrees(sandbox: SandboxClient, trees: readonly SharedTree[]): Promise<void> {
  await Promise.all(
    trees
      .filter(({ own }) => !own)
      .map(async ({ place, detached, path, directory, recursive, attributes, idMap, field, source }) => {
        const fd = detached ? place : reported(`${field}: take ${source}`, () => openTree(place, recursive));
        try {
          if (idMap?.namespace !== undefined) mapTree(fd, idMap.namespace, idMap.recursive, `${field}: ${source}`);
          await sandbox.share({ fd, path, directory, attributes });
        } finally {
          if (fd !== place) syscall("close", fd);
        }
      }),
  );
}

/** Has the machine make the memory that stands for what its client mounted. @throws RunvError GUEST_CALL_FAILED */
export async function makeMemories(
  sandbox: SandboxClient,
  container: string,
  trees: readonly SharedTree[],
): Promise<void> {
  for (const { memory, path } of trees) {
    if (memory !== undefined) await sandbox.memory({ container, memory, from: path });
  }
}

function reported<T>(doing: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new RunvError("MOUNT_SOURCE", `${doing}: ${error.message}`, { cause: error });
  }
}

/** Finds a path, which may be where a file system is still to be mounted (autofs(5)). */
function openPlace(source: string, field: string): number {
  try {
    return syscall("open_tree", AT_FDCWD, source, OPEN_TREE_CLOEXEC);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const why = error.code === "ENOENT" ? "does not exist" : error.message;
    throw new RunvError("MOUNT_SOURCE", `${field}: ${source}: ${why}`, { cause: error });
  }
}

/** Whether the source is a directory. One that only this kernel can serve is refused. */
function isDirectory(place: number, source: string, field: string): boolean {
  const stat = fstatSync(place);
  if (!stat.isSocket() && !stat.isFIFO()) return stat.isDirectory();
  const kind = stat.isSocket() ? "socket" : "FIFO";
  throw new RunvError("MOUNT_SOURCE", `${field}: ${source} is a ${kind}: its other end is not in the virtual machine`, {
    hint: "what listens there can be reached over the network",
  });
}
