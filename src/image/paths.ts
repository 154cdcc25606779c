/** Where images are looked for and made: the places that runV had. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

export const defaultKernel = "/var/lib/hyper/kernel";
export const defaultInitrd = "/var/lib/hyper/hyper-initrd.img";

export interface ImagePlace {
  kernel: string;
  initrd: string;
}

/** The image in a directory. */
export const imageIn = (directory: string): ImagePlace => ({
  kernel: join(directory, "kernel"),
  initrd: join(directory, "hyper-initrd.img"),
});

/** What `./demo` and `./test` have made beside an executable in a checkout, `dist/image`; undefined where there is none. */
export function imageBeside(executable = process.execPath): ImagePlace | undefined {
  const place = imageIn(join(dirname(executable), "image"));
  return existsSync(place.kernel) && existsSync(place.initrd) ? place : undefined;
}

/** Beside a kernel: the same one as it was packed, a bzImage, for what starts no other. */
export function packedKernel(kernel: string): string {
  return join(dirname(kernel), "vmlinuz");
}

/** Beside an initrd, by kernel release: the modules that its kernel may ask for, which the guest reads from the host. */
export function modulesDirectory(initrd: string, release: string): string {
  return join(dirname(initrd), "modules", release);
}

/** Downloaded distribution kernels. */
export const defaultCache = "/var/cache/runv";
