/**
 * The guest kernels that are at hand: of the image that tests use, of those that RUNV_TEST_IMAGES names (directories that `image build --output`
 * wrote, with colons between), and of Debian's packages that an `image build` has left in its cache.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { findKernelFiles } from "../../src/image/kernel-files";
import { readImageManifest } from "../../src/image/read-manifest";
import { imageFlags } from "./runv";

const project = join(import.meta.dir, "../..");
const cache = "/var/cache/runv";

export interface KernelAtHand {
  release: string;
  /** What of the command line has runv use it; in a new directory, where it must be made first. */
  flags(directory: string): string[];
}

/** Directories with images: that of the tests, and those that RUNV_TEST_IMAGES names. */
export function imagesAtHand(images = process.env.RUNV_TEST_IMAGES ?? ""): string[] {
  return [join(project, "dist/image"), ...images.split(":").filter(Boolean)];
}

/** How the names of Debian's kernels for this machine end: others, for machines of another architecture, may lie beside them. */
const ownKind = process.arch === "arm64" ? "-arm64" : "-amd64";

/** One of each release, the tests' own first. */
export function kernelsAtHand(): KernelAtHand[] {
  const made = imagesAtHand().map(ofImage);
  const cached = existsSync(cache) ? readdirSync(cache).flatMap(ofTree) : [];
  const all = [...made.filter((kernel) => kernel !== undefined), ...cached];
  return all.filter(({ release }, index) => all.findIndex((other) => other.release === release) === index);
}

/** Whether 9p's `cache=mmap` is not what it was, since Linux 6.4, so that no file of the share can be mapped shared for writing: docs/share.md. */
export function mapsNoneShared(release: string): boolean {
  const [major = 0, minor = 0] = release.split(".").map(Number);
  return major > 6 || (major === 6 && minor >= 4);
}

function ofImage(directory: string): KernelAtHand | undefined {
  const initrd = join(directory, "hyper-initrd.img");
  if (!existsSync(initrd)) return undefined;
  const { kernelRelease } = readImageManifest(initrd);
  return { release: kernelRelease, flags: () => imageFlags(directory) };
}

function ofTree(name: string): KernelAtHand[] {
  const release = /^linux-image-([^_]+)_/.exec(name)?.[1];
  if (release === undefined || !release.endsWith(ownKind)) return [];
  const { kernel, modules } = findKernelFiles(join(cache, name), release);
  if (kernel === undefined || modules === undefined) return [];
  const flags = (directory: string) => {
    const words = ["image", "build", "--kernel", kernel, "--modules", modules, "--output", directory];
    const { exitCode, stderr } = Bun.spawnSync([join(project, "dist/runv"), ...words]);
    if (exitCode !== 0) throw new Error(stderr.toString());
    return imageFlags(directory);
  };
  return [{ release, flags }];
}
