/** Shared memory: what a client mounts on the host for a container or a pod, and binds on its /dev/shm, is memory of the machine's in the guest. */
import { fstatSync, readlinkSync, statfsSync, statSync } from "node:fs";
import { normalize } from "node:path";
import type { SharedMemory } from "../../guest/memory";
import { pathOf } from "../../linux/beneath";
import { type MountInfo, mountOf } from "../../linux/mounts";

/** Where shm_open(3) and sem_open(3) keep what they make. */
const shmPath = "/dev/shm";

/**
 * What stands in the guest for the source of a bind mount, if it is such memory: the whole of a tmpfs that goes to /dev/shm, and not the host's own.
 * @param source a descriptor of it
 */
export function sharedMemory(source: number, destination: string): SharedMemory | undefined {
  if (normalize(`${destination}/`) !== `${shmPath}/` || isHosts(source)) return undefined;
  const mount = mountOf(source);
  if (mount?.type !== "tmpfs" || mount.root !== "/" || mount.point !== readlinkSync(pathOf(source))) return undefined;
  return { name: nameOf(mount), options: optionsOf(source, mount) };
}

function isHosts(source: number): boolean {
  const host = statSync(shmPath, { throwIfNoEntry: false });
  return host !== undefined && host.dev === fstatSync(source).dev;
}

/** The number of a file system is given to another one when it is gone; not at the same place as long as a machine may know the first. */
function nameOf({ device, point }: MountInfo): string {
  return `${device}-${Bun.hash(point).toString(16)}`;
}

/** Those of the mount, and what of the file system cannot be seen from its mount: size, owner, mode. */
function optionsOf(source: number, { options }: MountInfo): string[] {
  const { mode, uid, gid } = fstatSync(source);
  const { blocks, bsize } = statfsSync(pathOf(source));
  const flags = options.filter((option) => ["ro", "nosuid", "nodev", "noexec"].includes(option));
  return [...flags, `size=${blocks * bsize}`, `mode=${(mode & 0o7777).toString(8)}`, `uid=${uid}`, `gid=${gid}`];
}
