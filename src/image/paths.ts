/** Where images are looked for and made: the places that runV had. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Architecture, architecture, imageNameOf } from "../linux/syscalls";

const usual = "/var/lib/hyper";

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
export function imageBeside(executable = process.execPath, on?: Architecture): ImagePlace | undefined {
  const place = imageIn(foreignIn(join(dirname(executable), "image"), on));
  return existsSync(place.kernel) && existsSync(place.initrd) ? place : undefined;
}

/** The usual place of the image for an architecture. */
export function usualImage(on?: Architecture): ImagePlace {
  return imageIn(foreignIn(usual, on));
}

/** Images for machines that are not of this one's kind lie in a directory of their own. */
function foreignIn(directory: string, on: Architecture = architecture): string {
  return on === architecture ? directory : join(directory, imageNameOf(on));
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
