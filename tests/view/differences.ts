/** Where the two views differ, and why: `docs/conformance.md` has these reasons, and `docs/arm64.md` those of guests of another architecture. */

export interface Difference {
  /** Lines of one of them, `runv mounts: /etc …`: what this is the reason for. */
  lines: readonly RegExp[];
  reason: string;
  /** The cases in which it may be; all if undefined. */
  only?: RegExp;
  /** Whether it is there in some runs only. */
  byChance?: true;
}

/** All that runv shows of a configuration that runc refuses. */
const everything = /^runv /;

export const differences: readonly Difference[] = [
  {
    only: /a scheduler|an I\/O priority/,
    lines: [/ scheduling: /],
    reason: "runc 1.1 does not know `process.scheduler` and `process.ioPriority`",
  },
  {
    only: /a personality/,
    lines: [/ personality: (i686|x86_64)$/],
    reason: "runc 1.1 does not know `linux.personality`",
  },
  {
    only: /a domain name/,
    lines: [/ names: (example\.org|\(none\))$/],
    reason: "runc 1.1 does not know `domainname`",
  },
  {
    only: /a terminal of a size/,
    lines: [/ terminal: (33 99|stty: .*)$/],
    reason:
      "runc 1.1 sets a terminal to `process.consoleSize` and to its caller's size at once: which of them stays is chance",
    byChance: true,
  },
  {
    only: /a time namespace/,
    lines: [/^runc result: 1 .*namespace {\\?"time\\?" .* does not exist/, everything],
    reason: "runc 1.1 does not know time namespaces",
  },
  {
    only: /docker-1\.1/,
    lines: [/^runc result: 1 .*cannot unmarshal array into Go struct field Process\.process\.capabilities/, everything],
    reason: "runc does not read the flat list of capabilities any more that Docker 1.11 and 1.12 wrote",
  },
  {
    only: /a user namespace/,
    lines: [/ mounts: \/(sys\/fs\/cgroup|dev\/\w+) rw,(nosuid,(nodev,)?noexec,)?relatime( devtmpfs)?$/],
    reason: "what a user namespace cannot mount itself is bound from the machine, whose mounts are nosuid and noexec",
  },
  {
    only: /a user namespace/,
    lines: [/^runc mounts: \/sys\/kernel\/\w+ /],
    reason: "a user namespace's /sys is the host's under runc, with what the host has mounted there, as tracefs",
    byChance: true,
  },
  {
    only: /a user namespace/,
    lines: [/ devices: \.\/mqueue 1777 (0|65534):65534$/],
    reason:
      "the IPC namespace is made in one call with the user namespace, and so is the machine root's; its directory is for all (1777)",
  },
  {
    only: /mounts in mounts/,
    lines: [/ content: \/m directory 7[05]{2} 0:0$/],
    reason:
      "runc 1.1 gives a tmpfs the mode of the directory that it hides even where the option `mode` says another (mended in 1.2)",
  },
  {
    only: /an unbindable root/,
    lines: [/ mounts: \/ ro,relatime( unbindable)? files$/],
    reason: "runc 1.1 makes the mount unbindable that the root is bound from, and not the container's root",
  },
  {
    only: /masks of its own/,
    lines: [/ environment: HOME=/],
    reason:
      "runc looks HOME up after the paths were masked, here /etc; runv in the image's /etc/passwd, which clients' own HOME goes before",
  },
  {
    only: /^devices$/,
    lines: [/ opened: (\.\/zero opens|sh: can't open \.\/zero: Operation not permitted)$/],
    reason: "runc takes the permission for a default device away when `linux.devices` describes it anew",
  },
  {
    only: /docker-(device|privileged)/,
    lines: [/^runv opened: sh: can't open \.\/\S+: No such device( or address)?$/, /^runc opened: \.\/\S+ opens$/],
    reason:
      "a device is the guest's of that number, and the guest does not have all that the host has: no /dev/kvm, no /dev/fuse",
  },
  {
    only: /mounted in it|below it read-only|propagation of mounts/,
    lines: [/ mounts: \/\w+\/inner r[ow],relatime (files|tmpfs none mode=755)$/],
    reason: "a file system of the host is one of the share in the guest, whatever type it has on the host",
  },
];

/** The differences of guests of another architecture, besides. */
export const foreignDifferences: readonly Difference[] = [
  {
    lines: [/ personality: (x86_64|i686|aarch64|armv8l)$/],
    reason: "`uname -m` names the architecture of the guest",
  },
];
