/**
 * Which of a kernel's modules the guest gets. A name that the kernel does not know, or has built in, is passed over,
 * unless it is required.
 */

/** What the agent's channel needs: init loads them before it can say hello. */
export const bootModules: readonly string[] = ["virtio_pci", "virtio_console"];

/** Without these, as modules or built in, no container can run. */
export const requiredModules: readonly string[] = ["virtio_pci", "virtio_console", "9p", "9pnet_virtio"];

/** What the channel takes where it is a socket to the host: init loads it, with what it needs, where the kernel's command line says so. */
export const vsockModule = "vmw_vsock_virtio_transport";

/** What programs from the host load when a container needs it. */
export const extraModules: readonly string[] = [
  // the root file system and its volumes
  ...["9p", "9pnet_virtio", "virtiofs", "fuse", "overlay", "virtio_blk", "ext4", "loop"],
  // the machine: memory given back, entropy, sockets to the host, transports of other hypervisors
  ...["virtio_balloon", "virtio_rng", vsockModule, "virtio_mmio", "ptp_kvm"],
  ...["9pnet_xen", "9pnet_fd", "xen_netfront", "xen_blkfront"],
  // the network
  ...["virtio_net", "af_packet", "ipv6", "veth", "bridge", "br_netfilter", "tun", "macvlan", "dummy"],
  // what a container's Docker, iptables or nft asks for
  ...["nf_conntrack", "nf_nat", "nf_conntrack_netlink", "nf_tables", "nft_compat", "nft_chain_nat", "nft_ct"],
  ...["nft_nat", "nft_masq", "nft_redir", "nft_reject_inet", "nft_limit", "nft_log", "nft_fib_inet"],
  ...["ip_tables", "iptable_filter", "iptable_nat", "iptable_mangle", "iptable_raw", "ipt_REJECT"],
  ...["ip6_tables", "ip6table_filter", "ip6table_nat", "ip6table_mangle", "ip6table_raw", "ip6t_REJECT"],
  ...["xt_addrtype", "xt_comment", "xt_connmark", "xt_conntrack", "xt_limit", "xt_mark", "xt_MASQUERADE"],
  ...[
    "xt_LOG",
    "nf_log_syslog",
    "xt_multiport",
    "xt_nat",
    "xt_owner",
    "xt_REDIRECT",
    "xt_state",
    "xt_statistic",
    "xt_tcpudp",
    "xt_TCPMSS",
  ],
  // what programs find missing
  "binfmt_misc",
];

/**
 * What provides the features that modules ask for by another name than a module's (`softdep: pre: crypto-crc32c`): the
 * guest has no modprobe that could look it up.
 */
export const providers: Readonly<Record<string, string>> = {
  crc32c: "crc32c_generic",
  crypto_crc32c: "crc32c_generic",
};
