/** Which devices a container may use: config-linux.md, "Allowed Device list", by the semantics of cgroup v1 as runc emulates them. */
import { BPF_DEVCG_ACC_MKNOD, BPF_DEVCG_ACC_READ, BPF_DEVCG_ACC_WRITE } from "../../linux/ebpf";
import type { DeviceRule } from "../../oci/devices";

/** Devices that are treated otherwise than the others: access is a set of BPF_DEVCG_ACC_* bits. */
export interface DeviceException {
  type: "b" | "c";
  /** Undefined: any. */
  major: number | undefined;
  minor: number | undefined;
  access: number;
}

/** What the rules come to. */
export interface DeviceList {
  /** Whether devices without an exception are allowed. */
  allow: boolean;
  exceptions: readonly DeviceException[];
}

const accessBits: Readonly<Record<string, number>> = {
  m: BPF_DEVCG_ACC_MKNOD,
  r: BPF_DEVCG_ACC_READ,
  w: BPF_DEVCG_ACC_WRITE,
};

const allow = (type: "b" | "c", major: number, minor: number, access: string): DeviceRule => ({
  allow: true,
  type,
  major,
  minor,
  access,
});

/** What every container may: make nodes, and use the default devices, terminals and, as runc, /dev/net/tun. */
const always: readonly DeviceRule[] = [
  allow("c", -1, -1, "m"),
  allow("b", -1, -1, "m"),
  allow("c", 1, 3, "rwm"),
  allow("c", 1, 8, "rwm"),
  allow("c", 1, 7, "rwm"),
  allow("c", 5, 0, "rwm"),
  allow("c", 1, 5, "rwm"),
  allow("c", 1, 9, "rwm"),
  allow("c", 136, -1, "rwm"),
  allow("c", 5, 2, "rwm"),
  allow("c", 10, 200, "rwm"),
];

/** Applies the rules in their order. One for all devices forgets those before it; others make or unmake exceptions. */
export function deviceList(rules: readonly DeviceRule[]): DeviceList {
  let allowed = false;
  const exceptions = new Map<string, DeviceException>();
  for (const { allow, type = "a", major, minor, access = "rwm" } of [...rules, ...always]) {
    if (type === "a") {
      allowed = allow;
      exceptions.clear();
      continue;
    }
    const exception = { type, major: numberOf(major), minor: numberOf(minor), access: 0 };
    const key = `${type} ${exception.major}:${exception.minor}`;
    const before = exceptions.get(key)?.access ?? 0;
    const bits = [...access].reduce((all, letter) => all | (accessBits[letter] ?? 0), 0);
    exception.access = allow === allowed ? before & ~bits : before | bits;
    if (exception.access === 0) exceptions.delete(key);
    else exceptions.set(key, exception);
  }
  return {
    allow: allowed,
    exceptions: [...exceptions].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, exception]) => exception),
  };
}

function numberOf(value: number | undefined): number | undefined {
  return value === undefined || value < 0 ? undefined : value;
}
