/** The place where a benchmark happens: a directory of its own, the rootfs that all contenders share, and their bundles. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatDefaultConfig } from "../src/oci/spec";
import { command } from "../tests/support/command";
import { cachedRootfs } from "../tests/support/rootfs";
import { makeRuntimes, type Runtime } from "./runtimes";

export interface Rig {
  directory: string;
  /** The root file system that all containers have. */
  rootfs: string;
  quick: boolean;
  runtimes: Runtime[];
  /** Why a runtime is not measured, and whatever else must be known of a figure. */
  notes: string[];
  /** The path of a bundle with the shared rootfs, writable, whose process is this. */
  bundle(...args: string[]): string;
}

const project = join(import.meta.dir, "..");

/** The directory of kernel and initrd. */
export const image = process.env.RUNV_BENCH_IMAGE ?? join(project, "dist/image");

/** Makes it; what is measured is a copy of dist/runv, so that nobody's build changes it half-way. */
export async function makeRig(quick: boolean): Promise<Rig> {
  const directory = mkdtempSync("/tmp/runv-bench-");
  const rootfs = join(directory, "rootfs");
  await command("cp", "-a", await cachedRootfs("busybox"), rootfs);
  const binary = join(directory, "runv");
  copyFileSync(process.env.RUNV_BINARY ?? join(project, "dist/runv"), binary);
  const { runtimes: all, notes } = makeRuntimes(directory, binary, image);
  const wanted = process.env.RUNV_BENCH_RUNTIMES?.split(",");
  const runtimes = all.filter(({ name }) => wanted?.includes(name) ?? true);
  const bundles = new Map<string, string>();
  const bundle = (...args: string[]) => {
    const key = JSON.stringify(args);
    const path = bundles.get(key) ?? makeBundle(join(directory, `bundle-${bundles.size}`), rootfs, args);
    bundles.set(key, path);
    return path;
  };
  return { directory, rootfs, quick, runtimes, notes, bundle };
}

/** Removes it. */
export function removeRig({ directory }: Rig): void {
  rmSync(directory, { recursive: true, force: true });
}

/** What `runv spec` writes, but for the process. The version is one that older runtimes take as well. */
function makeBundle(path: string, rootfs: string, args: string[]): string {
  const config = JSON.parse(formatDefaultConfig());
  config.ociVersion = "1.0.2";
  config.process.terminal = false;
  config.process.args = args;
  config.root = { path: rootfs, readonly: false };
  mkdirSync(path);
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return path;
}
