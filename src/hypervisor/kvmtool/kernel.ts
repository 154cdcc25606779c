/** The kernel for lkvm, which starts no ELF file but a bzImage: the one that `runv image build` leaves beside the other. */
import { existsSync, readFileSync } from "node:fs";
import { RunvError } from "../../base/error";
import { bzImageRelease, isBzImage } from "../../image/bzimage";
import { packedKernel } from "../../image/paths";
import { readImageManifest } from "../../image/read-manifest";

/**
 * Finds it. @param kernel the one that is to be started
 * @throws RunvError VM_KERNEL_FORMAT
 */
export function findBzImage(kernel: string, initrd: string): string {
  const path = [kernel, packedKernel(kernel)].find((file) => existsSync(file) && isBzImage(readFileSync(file)));
  const hint = "runv image build, of a kernel that is a bzImage (what distributions call vmlinuz)";
  if (path === undefined) {
    const message = `lkvm starts bzImages only: ${kernel} is none, nor is there one at ${packedKernel(kernel)}`;
    throw new RunvError("VM_KERNEL_FORMAT", message, { hint });
  }
  const [release, wanted] = [bzImageRelease(readFileSync(path)), readImageManifest(initrd).kernelRelease];
  if (release === wanted) return path;
  const message = `${path} is Linux ${release ?? "of an unknown release"}, and ${initrd} was made for ${wanted}`;
  throw new RunvError("VM_KERNEL_FORMAT", message, { hint });
}
