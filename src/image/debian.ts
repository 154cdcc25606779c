/** Debian's own kernel: found with apt, downloaded and unpacked into a cache, never installed. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { RunvError } from "../base/error";
import { type Architecture, architecture } from "../linux/syscalls";
import { type Apt, aptFor, noApt } from "./apt";
import { type DebianKernelPackages, type DebianPackage, findKernelPackages, showWith } from "./debian-packages";
import { findKernelFiles, type KernelFiles } from "./kernel-files";
import { run } from "./run";

export interface DistributionKernel extends KernelFiles {
  /** What it is, for people: `linux-image-6.1.0-56-amd64 6.1.192-2`. */
  name: string;
  release: string;
  /** What was unpacked, with usr/lib and lib as one directory. */
  tree: string;
}

type Progress = (line: string) => void;

/**
 * Written into a tree that is whole. The number goes up with each change of what is unpacked and where, so that no tree of another runv is
 * taken for one of ours.
 */
const mark = ".runv-kernel-2";

/** Parts of a kernel's packages that no guest can use, and that are most of them. */
const unused = ["boot/System.map-*", "usr/share", "lib/modules/*/System.map", "lib/modules/*/kernel/sound"].concat(
  ["gpu", "media", "infiniband", "staging", "usb", "iio", "hwmon", "scsi", "net/ethernet", "net/wireless"].map(
    (path) => `lib/modules/*/kernel/drivers/${path}`,
  ),
);

/**
 * The kernel that this release of Debian would install, from the cache or downloaded into it.
 * @throws RunvError IMAGE_DOWNLOAD, IMAGE_KERNEL_UNUSABLE, IMAGE_TOOL_FAILED, IMAGE_TOOL_MISSING, IMAGE_UNWRITABLE
 */
export async function debianKernel(
  cache: string,
  progress: Progress,
  wanted: Architecture = architecture,
): Promise<DistributionKernel> {
  const apt = await aptFor(wanted, cache, progress);
  const kernel = await findKernelPackages(showWith(apt), wanted);
  const [{ name, version }] = kernel.packages;
  const tree = join(cache, `${name}_${version.replaceAll(":", "%3a")}`);
  if (!isWhole(tree)) await download(kernel, apt, cache, tree, progress);
  return { name: `${name} ${version}`, release: kernel.release, tree, ...whole(tree, kernel) };
}

const isWhole = (tree: string) => existsSync(join(tree, mark));

function whole(tree: string, { release, packages }: DebianKernelPackages): KernelFiles {
  const { kernel, modules } = findKernelFiles(tree, release);
  if (kernel !== undefined && modules !== undefined) return { kernel, modules };
  const names = packages.map(({ name, version }) => `${name} ${version}`).join(", ");
  const message = `no ${kernel === undefined ? "kernel" : "modules"} of ${release} in ${names}`;
  throw new RunvError("IMAGE_KERNEL_UNUSABLE", message, {
    hint: "give the kernel and its modules: --kernel FILE --modules DIR",
  });
}

async function download(
  wanted: DebianKernelPackages,
  apt: Apt,
  cache: string,
  tree: string,
  progress: Progress,
): Promise<void> {
  const work = makeWork(cache);
  try {
    const unpacked = join(work, "tree");
    mkdirSync(join(unpacked, "usr/lib"), { recursive: true });
    symlinkSync("usr/lib", join(unpacked, "lib"));
    for (const archive of await fetchPackages(wanted.packages, apt, work, progress)) {
      progress(`unpacking ${archive}`);
      await unpack(join(work, archive), unpacked);
      rmSync(join(work, archive));
    }
    whole(unpacked, wanted);
    writeFileSync(join(unpacked, mark), "");
    // Somebody else may be quicker at any moment, and that is as good.
    if (isWhole(tree)) return;
    if (existsSync(tree)) moveAway(tree, join(work, "old"));
    try {
      renameSync(unpacked, tree);
    } catch (error) {
      if (!isWhole(tree)) throw unwritable(`write the cache ${cache}`, error);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function makeWork(cache: string): string {
  try {
    mkdirSync(cache, { recursive: true });
    return mkdtempSync(join(cache, ".download-"));
  } catch (error) {
    throw unwritable(`make a directory in the cache ${cache}`, error);
  }
}

function moveAway(tree: string, to: string): void {
  try {
    renameSync(tree, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw unwritable(`move the old ${tree} away`, error);
  }
}

function unwritable(doing: string, cause: unknown): RunvError {
  const hint = "--cache DIR keeps it elsewhere";
  return new RunvError("IMAGE_UNWRITABLE", `${doing}: ${(cause as Error).message}`, { cause, hint });
}

/** Downloads the packages into a directory, and returns the files' names. */
async function fetchPackages(
  packages: readonly DebianPackage[],
  apt: Apt,
  into: string,
  progress: Progress,
): Promise<string[]> {
  const names = packages.map(({ name, version }) => `${name}=${version}`);
  progress(`downloading ${names.join(" ").replaceAll("=", " ")}`);
  try {
    const command = ["apt-get", ...apt.options, "download", "-q", ...names];
    await run(command, { cwd: into, install: noApt });
  } catch (error) {
    if (!(error instanceof RunvError) || error.code !== "IMAGE_TOOL_FAILED") throw error;
    const hint = "run apt-get update if its lists are old; or give a kernel: --kernel FILE --modules DIR";
    throw new RunvError("IMAGE_DOWNLOAD", `download ${names.join(" ")}: ${error.message}`, { cause: error, hint });
  }
  const archives = readdirSync(into).filter((file) => file.endsWith(".deb"));
  if (archives.length === packages.length) return archives.sort();
  throw new RunvError("IMAGE_DOWNLOAD", `apt-get downloaded ${archives.length} of ${packages.length} packages`);
}

async function unpack(archive: string, tree: string): Promise<void> {
  const exclude = unused.map((path) => `--exclude=${path}`);
  const script = 'set -o pipefail; archive=$1; shift; dpkg-deb --fsys-tarfile "$archive" | tar -x "$@"';
  const options = ["-C", tree, "--keep-directory-symlink", "--no-same-owner", ...exclude];
  await run(["bash", "-c", script, "unpack", archive, ...options]);
}
