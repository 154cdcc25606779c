/** Opening what is below a directory that is open already, so that no name on the way leads anywhere else (openat2(2)). */
import {
  O_CLOEXEC,
  O_NOFOLLOW,
  O_PATH,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from "./constants";
import { syscall } from "./local";

/**
 * Names something below an open directory (O_PATH): no link is followed, and it is below it or it is an error.
 * @returns its descriptor
 * @throws SystemError ELOOP for a link, EXDEV for what is not below, ENOENT
 */
export function openBeneath(directory: number, path: string, flags = 0): number {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return openat2(directory, path, O_PATH | O_NOFOLLOW | flags, resolve);
}

/**
 * Names what a path leads to as if a directory were the root (O_PATH): links on the way are followed, and none leads out.
 * @returns its descriptor
 * @throws SystemError
 */
export function openInRoot(root: number, path: string, flags = 0): number {
  return openat2(root, path, O_PATH | flags, RESOLVE_IN_ROOT);
}

function openat2(directory: number, path: string, flags: number, resolve: number): number {
  const how = new BigUint64Array([BigInt(flags | O_CLOEXEC), 0n, BigInt(resolve)]);
  return syscall("openat2", directory, path, new Uint8Array(how.buffer), how.byteLength);
}

/** The path by which mount(2) and umount2(2), which take no descriptors, mean an open one and nothing else. */
export function pathOf(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}
