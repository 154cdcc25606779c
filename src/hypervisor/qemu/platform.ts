/** What differs between QEMU's machines by the architecture of their guests. All else of qemu's options is the same. */
import { type Architecture, architecture } from "../../linux/syscalls";
import { atLeast, type QemuVersion } from "./version";

export interface Platform {
  /** QEMU's program, and Debian's package with it. */
  program: string;
  package: string;
  /** -machine, without what depends on the version. */
  machine: string;
  /** -cpu under emulation. */
  processor(version: QemuVersion, changes: readonly string[]): string;
  /** Whether memory can be added while a machine runs: where a kernel is started without firmware, arm64's `virt` describes none. */
  growsMemory: boolean;
  /** How many network interfaces and disks can, where each needs a port that is there from the beginning; 0: any number, without. */
  ports: number;
}

const platforms: Readonly<Record<Architecture, Platform>> = {
  x86_64: {
    program: "qemu-system-x86_64",
    package: "qemu-system-x86",
    // A PC without what nobody looks at. i440fx: q35 starts slower, microvm does not boot Linux under TCG.
    machine: "pc,usb=off,vmport=off,smbus=off,dump-guest-core=off,mem-merge=off",
    processor: (_, changes) => ["max", ...changes].join(","),
    growsMemory: true,
    ports: 0,
  },
  aarch64: {
    program: "qemu-system-aarch64",
    package: "qemu-system-arm",
    machine: "virt,gic-version=3,dump-guest-core=off,mem-merge=off",
    // `max` signs pointers, which takes an emulated kernel eight times as long to boot. One with atomic instructions, which are the host's then.
    processor: (version) => (atLeast(version, "7.0") ? "neoverse-n1" : "cortex-a72"),
    growsMemory: false,
    ports: 4,
  },
};

/** The platform of guests of this architecture, by default this machine's. */
export function platformOf(guests: Architecture = architecture): Platform {
  return platforms[guests];
}
