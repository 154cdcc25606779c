/**
 * Which of a kernel's modules the guest's initrd has, and what for; on-demand-modules.ts has those that stay on the host. A name that the kernel does not know, or has built in, is passed over,
 * unless it is required.
 */

export interface ModuleGroup {
  /** What a guest cannot do without them, for people. */
  use: string;
  names: readonly string[];
  /** Without these, as modules or built in, no container can run. */
  required?: true;
  /** Init loads them before it can say hello; all others are loaded by programs from the host when a container needs them. */
  boot?: true;
}

/** What the channel takes where it is a socket to the host: init loads it, with what it needs, where the kernel's command line says so. */
export const vsockModule = "vmw_vsock_virtio_transport";

export const moduleGroups: readonly ModuleGroup[] = [
  { use: "the agent's channel", boot: true, required: true, names: ["virtio_pci", "virtio_console"] },
  { use: "files over 9p", required: true, names: ["9p", "9pnet_virtio"] },
  { use: "files over virtiofs", names: ["virtiofs", "fuse"] },
  { use: "disks", names: ["virtio_blk"] },
  { use: "memory given back", names: ["virtio_balloon"] },
  { use: "entropy", names: ["virtio_rng"] },
  { use: "the host's clock", names: ["ptp_kvm"] },
  { use: "machines of kvmtool", names: [vsockModule, "virtio_mmio", "9pnet_fd"] },
  { use: "machines of Xen", names: ["9pnet_xen", "xen_netfront", "xen_blkfront"] },
  { use: "the network", names: ["virtio_net", "af_packet", "ipv6"] },
];

const namesOf = (wanted: (group: ModuleGroup) => boolean | undefined) =>
  moduleGroups.filter((group) => wanted(group) === true).flatMap(({ names }) => names);

export const bootModules: readonly string[] = namesOf(({ boot }) => boot);
export const requiredModules: readonly string[] = namesOf(({ required }) => required);
export const extraModules: readonly string[] = namesOf(({ boot }) => boot !== true);

/** What some kernels have built in without listing it, and the option of their configuration, CONFIG_…, that says so. */
export const unlistedBuiltin: Readonly<Record<string, string>> = { ipv6: "IPV6" };

/**
 * What provides the features that modules ask for by another name than a module's (`softdep: pre: crypto-crc32c`): the
 * guest has no modprobe that could look it up.
 */
export const providers: Readonly<Record<string, string>> = {
  crc32c: "crc32c_generic",
  crypto_crc32c: "crc32c_generic",
};
