/**
 * What a hypervisor sees of the host's files: its own program and libraries, read-only, the kernel and the initrd if it boots, the share, the
 * devices it needs, and of /proc the list of its descriptors. Nothing else exists for it.
 */
import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { MachineSpec } from "./driver";

/** Something of the host in the jail, an empty directory to write small files to, or a proc(5) that shows a process itself and nothing else. */
export type JailEntry =
  | { path: string; link: string }
  | { path: string; scratch: true }
  | { path: string; processes: true }
  | { path: string; source: string; kind: "directory" | "file"; recursive: boolean; writable: boolean };

/** Where QEMU finds in the jail what the machine is made of. */
export const inside = { kernel: "/kernel", initrd: "/initrd", share: "/share", memory: "/memory" } as const;

/** Where programs and libraries lie; on merged-/usr systems all but the first are links. */
const system = ["/usr", "/bin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache", "/etc/alternatives"];
/** Package managers that keep a program's libraries all over one directory. */
const stores = ["/nix", "/gnu"];

/**
 * Lists what is in a machine's jail.
 * @param binary QEMU's program
 * @param devices device files that it opens
 * @param root where the host's files are; for tests
 */
export function jailEntries(
  spec: Pick<MachineSpec, "kernel" | "initrd" | "share" | "memory" | "restore" | "forks" | "fork">,
  binary: string,
  devices: readonly string[],
  root = "/",
): JailEntry[] {
  const home = programHome(realpathSync(binary));
  const places = [...system, ...(home === undefined ? [] : [home])];
  const entries = places.flatMap((path) => hostEntry(path, root));
  // By names in /proc/self/fd 9p changes modes and extended attributes. Who is branched off stays in this jail, and must find its own there.
  if (spec.fork !== undefined) entries.push({ path: "/proc", processes: true });
  else entries.push(bind("/proc/self/fd", "/proc/self/fd", "directory"));
  // By these, whoever is forked from it gets all its threads: preload/fork.c.
  if (spec.forks !== undefined) entries.push(bind("/proc/self/task", "/proc/self/task", "directory"));
  entries.push(...devices.map((path) => bind(path, path, "file", true)));
  if (spec.restore === undefined && spec.fork === undefined) {
    entries.push(bind(inside.kernel, spec.kernel, "file"), bind(inside.initrd, spec.initrd, "file"));
  }
  // A clone must not change its template: preload/private-memory.c.
  if (spec.memory !== undefined) entries.push(bind(inside.memory, spec.memory.path, "file", spec.memory.write));
  if (spec.share !== undefined) {
    // Of the share itself, which is the monitor's alone to change; what is attached has its own attributes.
    entries.push({ path: inside.share, source: spec.share.path, kind: "directory", recursive: true, writable: false });
  }
  return entries;
}

/** The directory that holds a program which is not part of the system: the parent of its bin. */
function programHome(binary: string): string | undefined {
  if (system.some((path) => binary.startsWith(`${path}/`))) return undefined;
  return stores.find((store) => binary.startsWith(`${store}/`)) ?? dirname(dirname(binary));
}

function hostEntry(path: string, root: string): JailEntry[] {
  const stat = lstatSync(join(root, path), { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (stat.isSymbolicLink()) return [{ path, link: readlinkSync(join(root, path)) }];
  return [bind(path, path, stat.isDirectory() ? "directory" : "file")];
}

function bind(path: string, source: string, kind: "directory" | "file", writable = false): JailEntry {
  return { path, source, kind, recursive: false, writable };
}
