/** Puts the guest's initrd together: the manifest first, then init, its directories and the modules. */
import { type CpioEntry, directory, file, writeCpio } from "./cpio";
import { encodeManifest, type ImageManifest, manifestPath } from "./manifest";

/** Where init finds the modules that it loads, one path a line. */
const bootListPath = "runv/modules";
/** What it loads besides where the agent's channel is a socket to the host. */
const vsockListPath = "runv/modules.vsock";
/** Where init mounts, and what it expects to be there. */
const directories = ["dev", "proc", "run", "sys", "tmp"];

export interface InitrdContents {
  manifest: ImageManifest;
  init: Uint8Array;
  /** By path in the guest. */
  modules: ReadonlyMap<string, Uint8Array>;
  /** Paths of those that a channel by vsock takes, in the order of loading. */
  vsock: readonly string[];
}

export function writeInitrd({ manifest, init, modules, vsock }: InitrdContents): Uint8Array {
  const lines = (paths: readonly string[]) => paths.map((path) => `${path}\n`).join("");
  const files = [...modules].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, data]) => file(path.slice(1), data));
  const entries: CpioEntry[] = [
    // The kernel makes no directory for a file by itself: the manifest is skipped when it unpacks, and host programs
    // are its only readers.
    file(manifestPath, encodeManifest(manifest)),
    ...directories.map((path) => directory(path, path === "tmp" ? 0o1777 : 0o755)),
    directory("runv"),
    file(bootListPath, lines(manifest.modules.boot)),
    file(vsockListPath, lines(vsock)),
    file("init", init, 0o755),
    ...parents(files).map((path) => directory(path)),
    ...files,
  ];
  return writeCpio(entries);
}

/** All directories above these files, each after its own parent. */
function parents(files: readonly CpioEntry[]): string[] {
  const found = new Set<string>();
  for (const { path } of files) {
    for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) found.add(path.slice(0, at));
  }
  return [...found].sort();
}
