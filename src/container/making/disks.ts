/** Block devices and images of the host that a container gets as disks of its machine. */
import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { RunvError } from "../../base/error";
import { fileProblem } from "../../base/file-problem";
import { type DiskFileSystem, type GuestDisk, readFromDisk } from "../../guest/disks";
import { MS_RDONLY, O_CLOEXEC, O_EXCL, O_RDONLY, O_RDWR } from "../../linux/constants";
import { tryLockOpened } from "../../linux/file-lock";
import type { Bundle } from "../../oci/bundle";
import type { Config } from "../../oci/config";
import { isBind } from "../../oci/mounts";
import type { SandboxClient } from "../../sandbox/client";
import type { RootDisk } from "../options";

/** Annotations that make an image or a block device the root file system: its path, its file system, and the image's format. */
const annotation = { path: "org.runv.rootfs.block", type: "org.runv.rootfs.fstype", format: "org.runv.rootfs.format" };

/** More of an /etc/passwd than this is not looked at. */
const mostPasswd = 64 << 10;

/** A disk that a container is to have. */
export interface WantedDisk {
  /** What it is, for errors. */
  field: string;
  /** On the host. */
  path: string;
  device: boolean;
  format: "raw" | "qcow2";
  readOnly: boolean;
  /** Its file system, if it is the root file system. */
  root?: DiskFileSystem;
  /** Its number on the host, if it is one of `linux.devices`. */
  number?: { major: number; minor: number };
}

/**
 * The disks that a container is to have: its root file system, if its caller or the annotations say so, and the block devices of `linux.devices` that
 * a rule allows by their numbers. (A privileged container lists all that the host has, under one rule for all: it gets none.)
 * @throws RunvError DISK_SOURCE, CONFIG_UNSUPPORTED
 */
export function disksOf({ bundle, config }: Bundle, given?: RootDisk): WantedDisk[] {
  const root = given ?? annotatedRoot(bundle, config);
  return [...(root === undefined ? [] : [rootDisk(root)]), ...deviceDisks(config)];
}

/** The fields of config.json by which a container has files of the host's, with these disks. */
export function sharedBy({ config }: Pick<Bundle, "config">, disks: readonly WantedDisk[]): string[] {
  const mounts = config.mounts.flatMap((mount, index) =>
    isBind(mount) || mount.type === "overlay" ? [`mounts[${index}].source`] : [],
  );
  return disks.some(({ root }) => root !== undefined) ? mounts : ["root.path", ...mounts];
}

function rootDisk({ field, path, format, readOnly, fileSystem }: RootDisk): WantedDisk {
  const stat = statOf(path, field);
  if (!stat.isBlockDevice() && !stat.isFile()) throw new RunvError("DISK_SOURCE", `${field}: ${path}: is no image`);
  if (format === "qcow2" && leansOnAnother(path)) {
    throw new RunvError("DISK_SOURCE", `${field}: ${path}: leans on another image, which the machine cannot reach`, {
      hint: "qemu-img convert makes one image of both",
    });
  }
  return { field, path, device: stat.isBlockDevice(), format, readOnly, root: fileSystem };
}

/** The root file system that annotations name. */
function annotatedRoot(bundle: string, { annotations, root }: Config): RootDisk | undefined {
  const named = annotations[annotation.path];
  if (named === undefined) return undefined;
  const field = `annotations["${annotation.path}"]`;
  const path = isAbsolute(named) ? named : join(bundle, named);
  const format = annotations[annotation.format] ?? "raw";
  if (format !== "raw" && format !== "qcow2") {
    throw new RunvError("CONFIG_INVALID", `annotations["${annotation.format}"]: must be raw or qcow2`);
  }
  const type = annotations[annotation.type] ?? "ext4";
  const flags = root.readonly ? MS_RDONLY : 0;
  return { field, path, format, readOnly: root.readonly, fileSystem: { type, flags, data: "" } };
}

function deviceDisks({ linux }: Config): WantedDisk[] {
  return linux.devices.flatMap(({ type, major = 0, minor = 0 }, index) => {
    const rule = linux.resources?.devices.find(
      (rule) => rule.allow && rule.type === "b" && rule.major === major && rule.minor === minor,
    );
    if (type !== "b" || rule === undefined) return [];
    const field = `linux.devices[${index}]`;
    if (linux.namespaces.some((namespace) => namespace.type === "user")) {
      throw new RunvError("CONFIG_UNSUPPORTED", `${field}: a container with a user namespace has no disks`);
    }
    const { path, onlyRead } = blockDevice(major, minor, field);
    const readOnly = onlyRead || !(rule.access ?? "rwm").includes("w");
    return [{ field, path, device: true, format: "raw" as const, readOnly, number: { major, minor } }];
  });
}

/** The node of a block device, and whether it can only be read, as the kernel has it (sysfs). */
function blockDevice(major: number, minor: number, field: string): { path: string; onlyRead: boolean } {
  const about = (file: string) => readFileSync(`/sys/dev/block/${major}:${minor}/${file}`, "utf8");
  try {
    const path = `/dev/${/^DEVNAME=(.*)$/m.exec(about("uevent"))?.[1]}`;
    return { path, onlyRead: about("ro").trim() === "1" };
  } catch {
    throw new RunvError("DISK_SOURCE", `${field}: the host has no block device ${major}:${minor}`);
  }
}

/** Whether an image of QEMU's is a change to another one (qcow2's header: backing_file_offset). */
function leansOnAnother(path: string): boolean {
  const header = Buffer.alloc(16);
  const fd = openSync(path, O_RDONLY | O_CLOEXEC);
  try {
    readSync(fd, header, 0, 16, 0);
  } finally {
    closeSync(fd);
  }
  return header.readBigUInt64BE(8) !== 0n;
}

/**
 * Gives the machine the disks.
 * @returns the configuration with the guest's numbers in the place of the host's
 * @throws RunvError DISK_SOURCE, VM_DISK, VM_QMP_…
 */
export async function attachDisks(
  sandbox: SandboxClient,
  container: string,
  disks: readonly WantedDisk[],
  config: Config,
): Promise<Config> {
  let changed = config;
  for (const { field, path, device, format, readOnly, root, number } of disks) {
    const fd = openDisk(path, readOnly, device && root !== undefined, field);
    try {
      const guest = await sandbox.disk({ container, fd, device, format, readOnly, root });
      if (number !== undefined) changed = renumber(changed, number, guest);
    } finally {
      closeSync(fd);
    }
  }
  return changed;
}

/** Reads /etc/passwd of a root file system that is a disk. @throws RunvError GUEST_CALL_FAILED */
export async function readPasswd(sandbox: SandboxClient, container: string): Promise<string> {
  return Buffer.from(await sandbox.guest.call(readFromDisk(container, "etc/passwd", mostPasswd))).toString();
}

/** @param alone what the host has mounted is refused: two kernels would write to one file system */
export function openDisk(path: string, readOnly: boolean, alone: boolean, field: string): number {
  let fd: number;
  try {
    fd = openSync(path, (readOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC | (alone && !readOnly ? O_EXCL : 0));
  } catch (cause) {
    throw new RunvError("DISK_SOURCE", `${field}: open ${path}: ${fileProblem(cause)}`, { cause });
  }
  // QEMU, in its jail, does not lock: the lock goes with the descriptor that it gets.
  if (tryLockOpened(fd, readOnly)) return fd;
  closeSync(fd);
  throw new RunvError("DISK_SOURCE", `${field}: ${path}: another machine has it${readOnly ? " for writing" : ""}`, {
    hint: "two kernels would write to one file system; read-only disks can be shared",
  });
}

function renumber(config: Config, host: { major: number; minor: number }, { major, minor }: GuestDisk): Config {
  const is = (each: { type?: string | undefined; major?: number | undefined; minor?: number | undefined }) =>
    each.type === "b" && each.major === host.major && each.minor === host.minor;
  const { devices, resources } = config.linux;
  const change = <T extends Parameters<typeof is>[0]>(each: T): T => (is(each) ? { ...each, major, minor } : each);
  const linux = { ...config.linux, devices: devices.map(change) };
  if (resources !== undefined) linux.resources = { ...resources, devices: resources.devices.map(change) };
  return { ...config, linux };
}

function statOf(path: string, field: string) {
  try {
    return statSync(path);
  } catch (cause) {
    throw new RunvError("DISK_SOURCE", `${field}: ${path}: ${fileProblem(cause)}`, { cause });
  }
}
