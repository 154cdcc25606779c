/**
 * Modules that the guest's kernel may ask for by itself (request_module), as on any host: what is mounted, opened or configured in a container
 * needs them. They lie on the host, not in the guest's memory; nothing else is ever loaded.
 */

export interface OnDemandGroup {
  /** What a guest cannot do without them, for people. */
  use: string;
  names: readonly string[];
  /** What belongs to it besides, where the kernel has it. */
  more?: RegExp;
}

export const onDemandGroups: readonly OnDemandGroup[] = [
  { use: "overlay file systems", names: ["overlay"] },
  { use: "FUSE", names: ["fuse"], more: /^(cuse|virtiofs)$/ },
  {
    use: "file systems on disks",
    names: ["ext4", "loop", "squashfs"],
    more: /^(xfs|btrfs|vfat|exfat|isofs|udf|erofs|nls_(ascii|cp437|iso8859_1|utf8))$/,
  },
  { use: "network file systems", names: ["nfs"], more: /^(nfsv3|nfsv4|cifs|autofs4|9p)$/ },
  {
    use: "block devices that are made of others",
    names: ["dm_mod"],
    more: /^(nbd|zram|dm_(crypt|integrity|snapshot|thin_pool|verity))$/,
  },
  {
    use: "network devices inside a container",
    names: ["tun", "veth", "bridge", "br_netfilter", "dummy", "macvlan", "ipvlan", "vxlan"],
    more: /^(tap|ifb|macvtap|ipvtap|vrf|bonding|geneve|8021q|openvswitch|vport_\w+)$/,
  },
  {
    use: "tunnels",
    names: ["wireguard"],
    more: /^(ip_gre|ip6_gre|gre|ipip|sit|ip_tunnel|ip6_tunnel|ip_vti|ip6_vti|ppp_\w+|pppoe|l2tp_(eth|ip|ppp))$/,
  },
  {
    use: "IPsec",
    names: ["esp4", "xfrm_user"],
    more: /^(esp6|ah4|ah6|ipcomp6?|af_key|xfrm_interface)$/,
  },
  {
    use: "further protocols",
    names: ["af_packet", "ipv6"],
    more: /^(sctp|tls|tcp_(bbr|cubic|dctcp|htcp|vegas|westwood)|(af_packet|inet|netlink|raw|sctp|tcp|udp|unix|vsock)_diag)$/,
  },
  {
    use: "nftables",
    names: ["nf_conntrack", "nf_nat", "nf_tables", "nft_compat", "nft_chain_nat", "nft_ct", "nft_nat", "nft_masq"],
    more: /^(nft?_\w+|nfnetlink_(log|queue|cttimeout))$/,
  },
  {
    use: "iptables",
    names: ["ip_tables", "iptable_filter", "iptable_nat", "ip6_tables", "ip6table_filter", "xt_conntrack", "xt_tcpudp"],
    more: /^((xt|ipt|ip6t|iptable|ip6table|arptable|ip_set|ebt|ebtable)_\w+|arp_tables|ebtables|ip_set)$/,
  },
  { use: "virtual servers", names: ["ip_vs"], more: /^ip_vs_/ },
  {
    use: "traffic control",
    names: ["sch_htb", "sch_netem"],
    more: /^(sch_(cake|codel|drr|fq|fq_codel|fq_pie|hfsc|ingress|mqprio|multiq|pie|prio|red|sfq|tbf)|cls_(basic|bpf|cgroup|flower|fw|matchall|u32)|act_(bpf|connmark|csum|gact|mirred|nat|pedit|police|skbedit|tunnel_key|vlan))$/,
  },
  {
    // Dependencies come by themselves; these are asked for by a name that is put together at run time.
    use: "cryptography",
    names: ["af_alg"],
    more: /^(algif_\w+|arc4|authenc(esn)?|cbc|ccm|cmac|ctr|cts|des_generic|ecb|echainiv|essiv|gcm|ghash_generic|hmac|md4|md5|seqiv|sha(1|256|512)_generic|xts|chacha20poly1305|chacha_generic|poly1305_generic|crc32c_generic)$/,
  },
  { use: "programs of other machines", names: ["binfmt_misc"] },
];

/** Whether the kernel may have this module when it asks for it. */
export function isOnDemand(name: string): boolean {
  return onDemandGroups.some(({ names, more }) => names.includes(name) || more?.test(name) === true);
}
