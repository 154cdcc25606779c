import type { GuestMount } from "./driver";

/**
 * A share over 9P2000.L, as QEMU and kvmtool serve it and Linux mounts it (Documentation/filesystems/9p.rst).
 *
 * `cache=mmap` keeps pages of files that are mapped and nothing else, so host and guest see each other's changes at once and
 * programs can be executed and files mapped shared. Each user of the guest is attached with its own id, so that the files
 * it creates are its own on the host too.
 * @param transport what carries it: the guest's kernel has a module of this name for each
 */
export function nineP(transport: "virtio" | "xen"): GuestMount {
  return {
    type: "9p",
    options: `trans=${transport},version=9p2000.L,cache=mmap,msize=524288`,
    modules: [`9pnet_${transport}`, "9p"],
  };
}
