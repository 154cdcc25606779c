/** Where distributions put a kernel and its modules, below the root of a system or of a package that was unpacked. */
import { closeSync, existsSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { bzImageRelease, isBzImage } from "./bzimage";

/** A kernel as a distribution has it. */
export interface KernelFiles {
  kernel: string;
  /** The directory of its modules, in which modules.builtin is. */
  modules: string;
}

/** By its release: Debian to 13, Fedora, Ubuntu, SUSE; Debian after 13, Arch; Gentoo; NixOS, of what it runs. */
const kernels = (release: string): string[] => [
  `boot/vmlinuz-${release}`,
  `lib/modules/${release}/vmlinuz`,
  `usr/lib/modules/${release}/vmlinuz`,
  `boot/kernel-${release}`,
  "run/booted-system/kernel",
];

const moduleTrees = (release: string): string[] => [
  `lib/modules/${release}`,
  `usr/lib/modules/${release}`,
  `run/booted-system/kernel-modules/lib/modules/${release}`,
];

const configs = (release: string): string[] => [
  `boot/config-${release}`,
  `lib/modules/${release}/config`,
  `usr/lib/modules/${release}/config`,
];

/** The kernel of that release below this root; undefined for what is not there. */
export function findKernelFiles(root: string, release: string): Partial<KernelFiles> {
  const below = (paths: string[]) => paths.map((path) => join(root, path));
  const kernel = below(kernels(release)).find(existsSync) ?? namedOtherwise(join(root, "boot"), release);
  const modules = below(moduleTrees(release)).find((path) => existsSync(join(path, "modules.builtin")));
  return { ...(kernel === undefined ? {} : { kernel }), ...(modules === undefined ? {} : { modules }) };
}

/** The configuration that goes with these modules; undefined when it is nowhere. */
export function findConfig(modules: string, release: string): string | undefined {
  const root = modules.replace(/\/(?:usr\/)?lib\/modules\/[^/]*\/?$/, "");
  return [join(modules, "config"), ...configs(release).map((path) => join(root, path))].find(existsSync);
}

/** Alpine's boot/vmlinuz-lts, for one: the boot header says which release it is. */
function namedOtherwise(boot: string, release: string): string | undefined {
  const files = existsSync(boot) ? readdirSync(boot).filter((file) => /^(vmlinuz|bzImage|kernel)/.test(file)) : [];
  return files.map((file) => join(boot, file)).find((path) => releaseIn(path) === release);
}

function releaseIn(path: string): string | undefined {
  const start = Buffer.alloc(64 * 1024);
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    readSync(fd, start);
    return isBzImage(start) ? bzImageRelease(start) : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
