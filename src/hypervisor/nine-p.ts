import type { GuestMount } from "./driver";

/**
 * How much a guest keeps of a share (Documentation/filesystems/9p.rst; docs/share.md has what each costs).
 *
 * `mmap`: pages of files that are mapped and nothing else, so host and guest see each other's changes at once; where the guest's kernel cannot do
 * that and map files shared, nothing at all. `loose`: names, attributes and
 * pages, for as long as it has memory, and it writes back when it likes: for files that nobody else looks at meanwhile.
 */
export const nineCaches = ["mmap", "loose"] as const;
export type NineCache = (typeof nineCaches)[number];

/** The largest message that the guest's transport over virtio carries (net/9p/trans_virtio.c). It would say so, at length, if it were told more. */
const messageSize = 512_000;

const unmapped =
  "no file can be mapped shared for writing, as databases do (SQLite's write-ahead log): 9p of Linux 6.4 and later";

/**
 * A share over 9P2000.L, as QEMU and kvmtool serve it and Linux mounts it. Programs can be executed and files mapped shared. Each user of
 * the guest is attached with its own id, so that the files it creates are its own on the host too: so QEMU has it, and kvmtool does not.
 * @param transport what carries it: the guest's kernel has a module of this name for each
 */
export function nineP(transport: "virtio" | "xen", cache: NineCache = "mmap"): GuestMount {
  return {
    type: "9p",
    options: (release) => `trans=${transport},version=9p2000.L,cache=${wordOf(cache, release)},msize=${messageSize}`,
    limit: (release) => (wordOf(cache, release) === "none" ? unmapped : undefined),
    modules: [`9pnet_${transport}`, "9p"],
  };
}

/**
 * Since Linux 6.4 `cache=mmap` has the bit of writing back (CACHE_WRITEBACK of fs/9p/v9fs.h), without which no file is mapped shared, and with which
 * files that are only written to are opened without O_APPEND, at the end that the guest knows of (v9fs_file_open). Neither `directio` nor `sync` brings that
 * back. Of files whose content is somebody else's too, none may be lost: so there is no cache.
 */
function wordOf(cache: NineCache, release: string): string {
  return cache === "mmap" && writesBack(release) ? "none" : cache;
}

/** Whether `cache=mmap` writes back with a kernel of this release. */
export function writesBack(release: string): boolean {
  const [major = 0, minor = 0] = release.split(".").map((number) => Number.parseInt(number, 10));
  return major > 6 || (major === 6 && minor >= 4);
}
