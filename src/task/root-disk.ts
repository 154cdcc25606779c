/** A root file system that Create names unmounted, as snapshotters of block devices and images do: a disk of the machine. */
import { statSync } from "node:fs";
import type { RootDisk } from "../container/options";
import { drivers } from "../hypervisor";
import { MS_BIND, MS_RDONLY } from "../linux/constants";
import type { Received } from "./messages";
import { parsed } from "./rootfs";

/**
 * The disk that mounts of a Create request are, in the place of a mount(2) of them on the host.
 * @param driver as settings name it
 * @returns undefined when they are none, or the driver has no disks
 */
export function diskOf(mounts: readonly Received<"Mount">[], driver: string): RootDisk | undefined {
  const [mount, ...others] = mounts;
  if (mount === undefined || others.length > 0 || mount.target !== "" || !hasDisks(driver)) return undefined;
  const { source: path, type } = mount;
  const { flags, data } = parsed(mount.options);
  const isImage = data.includes("loop");
  if (flags & MS_BIND || type.startsWith("fuse") || !(isImage || isBlockDevice(path))) return undefined;
  const own = data.filter((option) => option !== "loop").join(",");
  const readOnly = (flags & MS_RDONLY) !== 0;
  return { field: "rootfs", path, format: "raw", readOnly, fileSystem: { type, flags, data: own } };
}

function hasDisks(driver: string): boolean {
  return drivers().find(({ name }) => name === driver)?.capabilities.hotplugDisk ?? true;
}

function isBlockDevice(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isBlockDevice() ?? false;
}
