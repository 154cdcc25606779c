/** Puts the guest's initrd together: the manifest first, then init, its directories and the modules. */
import { type CpioEntry, directory, file, writeCpio } from "./cpio";
import { encodeManifest, type ImageManifest, manifestPath } from "./manifest";

/** Where init finds the modules that it loads, one path a line. */
const bootListPath = "runv/modules";
/** Where init mounts, and what it expects to be there. */
const directories = ["dev", "proc", "run", "sys", "tmp"];

export interface InitrdContents {
  manifest: ImageManifest;
  init: Uint8Array;
  /** By path in the guest. */
  modules: ReadonlyMap<string, Uint8Array>;
}

export function writeInitrd({ manifest, init, modules }: InitrdContents): Uint8Array {
  const bootList = manifest.modules.boot.map((path) => `${path}\n`).join("");
  const files = [...modules].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, data]) => file(path.slice(1), data));
  const entries: CpioEntry[] = [
    // The kernel makes no directory for a file by itself: the manifest is skipped when it unpacks, and host programs
    // are its only readers.
    file(manifestPath, encodeManifest(manifest)),
    ...directories.map((path) => directory(path, path === "tmp" ? 0o1777 : 0o755)),
    directory("runv"),
    file(bootListPath, bootList),
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
