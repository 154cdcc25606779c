/**
 * The share over 9P2000.L on virtio, as QEMU serves it and Linux mounts it (Documentation/filesystems/9p.rst).
 *
 * `cache=mmap` keeps pages of files that are mapped and nothing else, so host and guest see each other's changes at once and
 * programs can be executed and files mapped shared. Each user of the guest is attached with its own id, so that the files
 * it creates are its own on the host too.
 */
export const nineP = {
  type: "9p",
  source: "share",
  options: "trans=virtio,version=9p2000.L,cache=mmap,msize=524288",
  /** What the guest's kernel needs for it. */
  modules: ["9pnet_virtio", "9p"],
} as const;
