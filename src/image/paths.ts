/** Where images are looked for and made: the places that runV had. */
import { dirname, join } from "node:path";

export const defaultKernel = "/var/lib/hyper/kernel";
export const defaultInitrd = "/var/lib/hyper/hyper-initrd.img";

/** Beside a kernel: the same one as it was packed, a bzImage, for what starts no other. */
export function packedKernel(kernel: string): string {
  return join(dirname(kernel), "vmlinuz");
}

/** Downloaded distribution kernels. */
export const defaultCache = "/var/cache/runv";
