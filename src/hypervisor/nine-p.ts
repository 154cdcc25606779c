import type { GuestMount } from "./driver";

/**
 * How much a guest keeps of a share (Documentation/filesystems/9p.rst; docs/share.md has what each costs).
 *
 * `mmap`: pages of files that are mapped and nothing else, so host and guest see each other's changes at once. `loose`: names, attributes and
 * pages, for as long as it has memory, and it writes back when it likes: for files that nobody else looks at meanwhile.
 */
export const nineCaches = ["mmap", "loose"] as const;
export type NineCache = (typeof nineCaches)[number];

/** The largest message that the guest's transport over virtio carries (net/9p/trans_virtio.c). It would say so, at length, if it were told more. */
const messageSize = 512_000;

/**
 * A share over 9P2000.L, as QEMU and kvmtool serve it and Linux mounts it. Programs can be executed and files mapped shared. Each user of
 * the guest is attached with its own id, so that the files it creates are its own on the host too: so QEMU has it, and kvmtool does not.
 * @param transport what carries it: the guest's kernel has a module of this name for each
 */
export function nineP(transport: "virtio" | "xen", cache: NineCache = "mmap"): GuestMount {
  return {
    type: "9p",
    options: `trans=${transport},version=9p2000.L,cache=${cache},msize=${messageSize}`,
    modules: [`9pnet_${transport}`, "9p"],
  };
}
