/** /dev: the devices and links that every container has (config-linux.md, "Default Devices"), and those it asks for. */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  F_OK,
  O_NOFOLLOW,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
} from "../../linux/constants";
import type { Device } from "../../oci/devices";
import { isBind, type Mount } from "../../oci/mounts";
import type { Assembler, Register } from "../../program/assembler";
import { close } from "../../program/files";
import { moveMount } from "./mount-calls";
import { directoryInRoot, fileInRoot, nameOf, openInRoot, parentOf } from "./root";

const standard = (path: string, major: number, minor: number): Device => ({
  path,
  type: "c",
  major,
  minor,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
});

const defaultDevices: readonly Device[] = [
  standard("/dev/null", 1, 3),
  standard("/dev/zero", 1, 5),
  standard("/dev/full", 1, 7),
  standard("/dev/random", 1, 8),
  standard("/dev/urandom", 1, 9),
  standard("/dev/tty", 5, 0),
];

const links: readonly (readonly [name: string, target: string])[] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
];

/** What fills /dev. */
export interface DevicePlan {
  mounts: readonly Mount[];
  devices: readonly Device[];
  /** Nodes of a user namespace are the machine's, mounted: it cannot make any. */
  bind: boolean;
}

/** Fills /dev, unless it is a bind mount and so has what its source has. */
export function lowerDevices(p: Assembler, root: Register, { mounts, devices, bind }: DevicePlan): void {
  if (mounts.some((mount) => mount.destination.replace(/\/+$/, "") === "/dev" && isBind(mount))) return;
  const asked = new Set(devices.map(({ path }) => path));
  for (const device of [...defaultDevices.filter(({ path }) => !asked.has(path)), ...devices]) {
    if (bind) bindDevice(p, root, device);
    else lowerDevice(p, root, device);
  }
  p.doing("make the links in /dev");
  const dev = directoryInRoot(p, root, "/dev");
  for (const [name, target] of links) {
    p.syscall("symlinkat", [p.text(target), dev, p.text(name)], { accept: ["EEXIST"] });
  }
  // A kernel may have no /proc/kcore.
  const core = p.label();
  p.syscall("faccessat2", [AT_FDCWD, p.text("/proc/kcore"), F_OK, 0], { accept: ["ENOENT"], otherwise: core });
  p.syscall("symlinkat", [p.text("/proc/kcore"), dev, p.text("core")], { accept: ["EEXIST"] });
  p.place(core);
  p.syscall("unlinkat", [dev, p.text("ptmx"), 0], { accept: ["ENOENT"] });
  p.syscall("symlinkat", [p.text("pts/ptmx"), dev, p.text("ptmx")]);
  close(p, dev);
}

function lowerDevice(p: Assembler, root: Register, device: Device): void {
  p.doing(`make the device ${device.path}`);
  const type = device.type === "b" ? S_IFBLK : device.type === "p" ? S_IFIFO : S_IFCHR;
  const mode = (device.fileMode ?? 0o666) & 0o7777;
  const directory = directoryInRoot(p, root, parentOf(device.path));
  const name = p.text(nameOf(device.path));
  const exists = p.label();
  p.syscall("mknodat", [directory, name, type | mode, makeDevice(device.major ?? 0, device.minor ?? 0)], {
    accept: ["EEXIST"],
    otherwise: exists,
  });
  const node = openInRoot(p, directory, nameOf(device.path), O_PATH | O_NOFOLLOW);
  p.syscall("fchownat", [node, p.text(""), device.uid ?? 0, device.gid ?? 0, AT_EMPTY_PATH]);
  close(p, node);
  p.place(exists);
  close(p, directory);
}

function bindDevice(p: Assembler, root: Register, { path }: Device): void {
  p.doing(`mount the device ${path}`);
  const tree = p.value("open_tree", [AT_FDCWD, p.text(path), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC]);
  const target = fileInRoot(p, root, path);
  moveMount(p, tree, target);
  close(p, tree, target);
}

/** The number of a device, as mknod(2) takes it (makedev(3)). */
function makeDevice(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}
