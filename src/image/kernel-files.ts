/** Where distributions put a kernel and its modules, below the root of a system or of a package that was unpacked. */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** A kernel as a distribution has it. */
export interface KernelFiles {
  kernel: string;
  /** The directory of its modules, in which modules.builtin is. */
  modules: string;
}

/** By their release: Debian to 13, Fedora, Ubuntu, SUSE; then Debian after 13, Arch; then Gentoo. */
const kernels = (release: string): string[] => [
  `boot/vmlinuz-${release}`,
  `lib/modules/${release}/vmlinuz`,
  `usr/lib/modules/${release}/vmlinuz`,
  `boot/kernel-${release}`,
];

const moduleTrees = (release: string): string[] => [`lib/modules/${release}`, `usr/lib/modules/${release}`];

/** All places where the kernel of that release may be. */
export function kernelPlaces(root: string, release: string): string[] {
  return kernels(release).map((path) => join(root, path));
}

/** All places where its modules may be. */
export function modulePlaces(root: string, release: string): string[] {
  return moduleTrees(release).map((path) => join(root, path));
}

/** The kernel of that release below this root; undefined for what is not there. */
export function findKernelFiles(root: string, release: string): Partial<KernelFiles> {
  const kernel = kernelPlaces(root, release).find(existsSync);
  const modules = modulePlaces(root, release).find((path) => existsSync(join(path, "modules.builtin")));
  return { ...(kernel === undefined ? {} : { kernel }), ...(modules === undefined ? {} : { modules }) };
}
