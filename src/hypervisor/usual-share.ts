/** How files reach a guest of QEMU's with `share = "auto"`: over 9p or `fuse`, by what 9p is in the guest's kernel. */
import { readImageManifest } from "../image/read-manifest";
import { mostFileBytes } from "../linux/memory-file";
import type { DriverOptions } from "./driver";
import { writesBack } from "./nine-p";

export interface UsualShare {
  share: "9p" | "fuse";
  /** Why, for people. */
  why: string;
}

/**
 * Chooses it: the one that loses nothing there and is quicker. docs/share.md, "Which one", has what was measured.
 * @param options what else was said for the drivers
 * @param initrd of the guest's image; where that cannot be read, who starts a machine with it says why
 */
export function usualShare(options: DriverOptions, initrd: string): UsualShare {
  const manifest = manifestOf(initrd);
  if (manifest === undefined) return { share: "9p", why: "the guest's image cannot be read" };
  const linux = `the guest has Linux ${manifest.kernelRelease}`;
  const { extra, builtin } = manifest.modules;
  if (!writesBack(manifest.kernelRelease)) return { share: "9p", why: linux };
  if (!("virtiofs" in extra || builtin.includes("virtiofs"))) return { share: "9p", why: `${linux} without virtiofs` };
  if (options.share_cache === "loose") return { share: "9p", why: "share_cache is loose" };
  // A machine that is no clone has its memory in a file then, and who writes to it beyond that limit is ended by a signal.
  if (mostFileBytes() !== Number.POSITIVE_INFINITY)
    return { share: "9p", why: `${linux}, but files may not have any size here (ulimit -f)` };
  return { share: "fuse", why: linux };
}

function manifestOf(initrd: string) {
  try {
    return readImageManifest(initrd);
  } catch {
    return undefined;
  }
}
