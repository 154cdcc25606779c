/** What can be said of a kernel and an initrd that lie on disk. */
import { readFileSync } from "node:fs";
import { RunvError } from "../base/error";
import { fileProblem } from "../base/file-problem";
import type { ImageManifest } from "./manifest";
import { readImageManifest } from "./read-manifest";
import { sha256 } from "./sha256";

export interface ImageInfo {
  manifest: ImageManifest;
  /** Whether the kernel is the one that was made together with the initrd. */
  kernelFits: boolean;
  /** Whether the initrd has the init of this very runv. */
  initIsOurs: boolean;
  kernelSize: number;
  initrdSize: number;
}

export function imageInfo(paths: { kernel: string; initrd: string }, init: Uint8Array): ImageInfo {
  const manifest = readImageManifest(paths.initrd);
  const kernel = read(paths.kernel);
  return {
    manifest,
    kernelFits: sha256(kernel) === manifest.kernelSha256,
    initIsOurs: sha256(init) === manifest.initSha256,
    kernelSize: kernel.length,
    initrdSize: read(paths.initrd).length,
  };
}

function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const hint = "make kernel and initrd: runv image build";
    throw new RunvError("IMAGE_NOT_FOUND", `read ${path}: ${fileProblem(error)}`, { cause: error, hint });
  }
}
