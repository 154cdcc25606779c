/** What differs between QEMU's machines by the architecture of their guests. All else of qemu's options is the same. */
import { type Architecture, architecture } from "../../linux/syscalls";
import { atLeast, type QemuVersion } from "./version";

export interface Platform {
  /** QEMU's program, and Debian's package with it. */
  program: string;
  package: string;
  /** What else distributions call it: Fedora and its kin, Alpine. */
  otherPackages: string;
  /** -machine, without what depends on the version. */
  machine: string;
  /** The same with KVM. */
  machineWithKvm: string;
  /** -cpu under emulation. */
  processor(version: QemuVersion, changes: readonly string[]): string;
  /** Whether memory can be added while a machine runs: where a kernel is started without firmware, arm64's `virt` describes none. */
  growsMemory: boolean;
  /** Whether processors can be added to a machine of KVM's. Where not, all are there from the beginning, as under emulation. */
  plugsCpus: boolean;
  /** How many network interfaces and disks it can have, that which it begins with among them, where each needs a port that is there from the beginning; 0: any number, without. */
  ports: number;
}

/** The type of machine of x86-64, an alias of the newest that this QEMU makes. */
export const machineType = "pc";
// A PC without what nobody looks at. i440fx: q35 starts slower, microvm does not boot Linux under TCG.
const pc = `${machineType},usb=off,vmport=off,smbus=off,dump-guest-core=off,mem-merge=off`;
const virt = "virt,dump-guest-core=off,mem-merge=off";

const platforms: Readonly<Record<Architecture, Platform>> = {
  x86_64: {
    program: "qemu-system-x86_64",
    package: "qemu-system-x86",
    otherPackages: "dnf install qemu-kvm; apk add qemu-system-x86_64",
    machine: pc,
    machineWithKvm: pc,
    processor: (_, changes) => ["max", ...changes].join(","),
    growsMemory: true,
    plugsCpus: true,
    ports: 0,
  },
  aarch64: {
    program: "qemu-system-aarch64",
    package: "qemu-system-arm",
    otherPackages: "dnf install qemu-kvm; apk add qemu-system-aarch64",
    machine: `${virt},gic-version=3`,
    // KVM's interrupt controller is the host's own: version 2 on a Raspberry Pi 4.
    machineWithKvm: `${virt},gic-version=host`,
    // `max` signs pointers, which takes an emulated kernel eight times as long to boot. One with atomic instructions, which are the host's then.
    processor: (version) => (atLeast(version, "7.0") ? "neoverse-n1" : "cortex-a72"),
    growsMemory: false,
    plugsCpus: false,
    ports: 5,
  },
};

/** The platform of guests of this architecture, by default this machine's. */
export function platformOf(guests: Architecture = architecture): Platform {
  return platforms[guests];
}
