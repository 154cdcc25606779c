/** Capabilities: config.md, "Linux Process". */
import { log } from "../base/log";
import { array, type Infer, object, optional, type Reader, usually } from "./reader";
import { string } from "./scalars";

/** The names of linux/capability.h, each at the place of its number. */
export const capabilityNames = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
] as const;

export type Capability = (typeof capabilityNames)[number];

/** The number of a capability: `capabilityNumber("CAP_KILL")` is 5. */
export function capabilityNumber(name: Capability): number {
  return capabilityNames.indexOf(name);
}

/** Several capabilities as the bit mask of capset(2). */
export function capabilityMask(names: readonly Capability[] | undefined): bigint {
  return (names ?? []).reduce((mask, name) => mask | (1n << BigInt(capabilityNumber(name))), 0n);
}

/** Names that were warned of already: each is mostly in several sets. */
const told = new Set<string>();

/**
 * Those that the guest's kernel knows. The others are left out, with a warning in runc's words: "runtimes SHOULD NOT fail"
 * (config.md).
 */
export function knownCapabilities(names: readonly string[]): Capability[] {
  const isKnown = (name: string): name is Capability => (capabilityNames as readonly string[]).includes(name);
  const unknown = names.filter((name) => !isKnown(name) && !told.has(name));
  for (const name of unknown) told.add(name);
  if (unknown.length > 0) log.warn(`ignoring unknown or unavailable capabilities: [${unknown.join(" ")}]`);
  return names.filter(isKnown);
}

const strings = array(string, "strings");
const names: Reader<Capability[]> = (value) => knownCapabilities(strings(value));

const sets = object({
  bounding: optional(names),
  effective: optional(names),
  inheritable: optional(names),
  permitted: optional(names),
  ambient: optional(names),
});

export interface Capabilities extends Infer<typeof sets> {}

/**
 * Reads the five sets, or the one list that specifications before 1.0.0-rc5 (Docker 1.11 to 17.05) had. That list fills
 * the sets which Docker fills today: not the inheritable one, which runtimes of the time set too (CVE-2022-24769).
 */
export const capabilities: Reader<Capabilities> = usually(sets, (value) => {
  if (!Array.isArray(value)) return sets(value);
  const flat = names(value);
  return { bounding: flat, effective: flat, permitted: flat };
});
