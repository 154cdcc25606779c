import { RunvError } from "../base/error";
import type { ImageManifest } from "../image/manifest";
import { readImageManifest } from "../image/read-manifest";
import { type Architecture, architecture, imageNameOf } from "../linux/syscalls";

/**
 * What the image for these guests says of itself.
 * @throws RunvError IMAGE_NOT_FOUND, IMAGE_NOT_RUNV, IMAGE_PROTOCOL, IMAGE_ARCHITECTURE (it is for others)
 */
export function manifestFor(guests: Architecture, initrd: string): ImageManifest {
  const hint = `make kernel and initrd: runv image build${guests === architecture ? "" : ` --arch ${imageNameOf(guests)}`}`;
  let manifest: ImageManifest;
  try {
    manifest = readImageManifest(initrd);
  } catch (error) {
    if (!(error instanceof RunvError) || error.code !== "IMAGE_NOT_FOUND") throw error;
    throw new RunvError(error.code, error.message, { cause: error, hint });
  }
  if (manifest.arch === guests) return manifest;
  throw new RunvError("IMAGE_ARCHITECTURE", `${initrd} is for machines of ${manifest.arch}, not of ${guests}`, {
    hint,
  });
}
