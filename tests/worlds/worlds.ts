/** The worlds: what each is, and what is tried in it. */

export interface World {
  /** As it is called on the command line. */
  name: string;
  /** As docs/platforms.md calls it. */
  title: string;
  /** Debian's name for its files; undefined for the machine, which the lab makes. */
  suite?: string;
  /** What the suites take in it besides `packages`. */
  packages?: readonly string[];
}

export const worlds: readonly World[] = [
  { name: "debian12", title: "Debian 12", suite: "bookworm" },
  { name: "debian13", title: "Debian 13", suite: "trixie", packages: ["docker-cli", "virtiofsd", "binutils"] },
  { name: "next", title: "Debian sid", suite: "sid", packages: ["docker-cli", "virtiofsd", "binutils"] },
  { name: "machine", title: "Debian 13, a machine with systemd" },
];

/** What `./test` would install, and what builds runv. */
export const packages: readonly string[] = [
  ..."npm musl-tools gcc libc6-dev xz-utils qemu-system-x86 qemu-utils busybox-static debootstrap e2fsprogs procps iproute2".split(
    " ",
  ),
  ..."socat tmux kmod libvirt-daemon-system libvirt-clients libvirt-daemon-driver-qemu docker.io containerd podman conmon".split(
    " ",
  ),
  ..."iptables nftables runc containernetworking-plugins netavark aardvark-dns catatonit apache2-utils iperf3".split(
    " ",
  ),
];

/** Test files, as arguments of `./test`. `door` is the way of a new user. */
export const suites: Readonly<Record<string, readonly string[]>> = {
  door: [],
  run: ["./tests/run.test.ts"],
  versions: ["./tests/versions.test.ts"],
  chroot: ["./tests/chroot.test.ts", "./tests/cgroups.test.ts"],
  templates: ["./tests/templates.test.ts"],
  forks: ["./tests/forks.test.ts"],
  branch: ["./tests/branch.test.ts"],
  streams: ["./tests/streams.test.ts"],
  update: ["./tests/update.test.ts"],
  share: ["./tests/share"],
  terminal: ["./tests/terminal.test.ts"],
  drivers: ["./tests/drivers"],
  clients: ["./tests/clients/clients.test.ts"],
  packages: ["./tests/packages.test.ts"],
};

/** Where the time that there is would not do for all of it. */
export function suitesOf({ name }: World): string[] {
  return name === "machine" ? ["door"] : Object.keys(suites);
}
