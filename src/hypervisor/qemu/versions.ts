/**
 * What QEMU can and how it calls things, by version. Nothing else here asks for a version's number. A version that nobody has seen gets what the
 * newest does; what it refuses costs a fork or a template, never the machine.
 */
import { type Architecture, architecture } from "../../linux/syscalls";
import { atLeast, formatVersion, type QemuVersion } from "./version";

/** What is said to the versions from `since` to before `until`, where guests are of one architecture only, of that. */
interface Change {
  since: string;
  until?: string;
  only?: Architecture;
  options?: readonly string[];
  /** Of the machine. */
  machine?: string;
  /** Of the processor that is emulated. */
  processor?: string;
  device?: string;
  /** A machine's state goes to a file by a set of descriptors; by a descriptor of its own otherwise. */
  stateInSet?: boolean;
  /** A release note, a page of documentation or a commit of QEMU. */
  source: string;
}

const changes: readonly Change[] = [
  // That copying byte by byte is fast. In emulation it is not: eight bytes at once boot 5 to 15 % faster. All of that family or none: Linux 6.1
  // hangs on a processor with `fsrm` and without `erms`, for nobody makes one (arch/x86/lib/memmove_64.S).
  { since: "5.0", only: "x86_64", processor: "-erms", source: "target/i386/cpu.c, TCG_7_0_EBX_FEATURES" },
  {
    since: "8.0",
    only: "x86_64",
    processor: "-fsrm,-fzrm,-fsrs,-fsrc",
    source: "commits c0728d4e3d23 (FSRM in TCG), 58794f644e43 (FZRM, FSRS, FSRC)",
  },
  { since: "5.0", until: "8.0", only: "x86_64", options: ["-no-hpet"], source: "docs/about/removed-features.rst" },
  { since: "8.0", only: "x86_64", machine: "hpet=off", source: "docs/about/removed-features.rst, -no-hpet" },
  // A page that was given back need not be empty when the guest takes it again: a clone's is its template's (preload/private-memory.c).
  {
    since: "5.1",
    device: "virtio-balloon-pci,free-page-reporting=on,page-poison=off",
    source: "hw/virtio/virtio-balloon.c, VIRTIO_BALLOON_F_REPORTING; wiki ChangeLog/5.1",
  },
  // `fd:` of a plain file is refused from 11.0 on.
  { since: "9.1", stateInSet: true, source: "commit 6d3279655ac4; docs/about/removed-features.rst, fd: URI" },
];

/** The newest version with which runv was tried. */
export const newestTried = "11.1";

/** Whether a version is newer than all with which runv was tried. */
export function isUntried(version: QemuVersion): boolean {
  const [major, minor] = newestTried.split(".").map(Number) as [number, number];
  return atLeast(version, `${major}.${minor + 1}`);
}

/** What QEMU of this version is told. @param guests the architecture of its guests */
export function changesFor(version: QemuVersion, guests: Architecture = architecture) {
  const own = changes.filter(
    ({ since, until, only = guests }) =>
      only === guests && atLeast(version, since) && !(until !== undefined && atLeast(version, until)),
  );
  return {
    options: own.flatMap(({ options = [] }) => options),
    machine: own.flatMap(({ machine = [] }) => machine),
    processor: own.flatMap(({ processor = [] }) => processor),
    devices: own.flatMap(({ device = [] }) => device),
    stateInSet: own.some(({ stateInSet }) => stateInSet === true),
  };
}

/** Whether memory that the guest frees goes back to the host. */
export function reportsFreePages(version: QemuVersion): boolean {
  return changesFor(version).devices.some((device) => device.includes("free-page-reporting"));
}

/** A version as `runv check` says it. */
export function describeVersion(version: QemuVersion): string {
  const untried = isUntried(version) ? `; newer than ${newestTried}, the newest that runv was tried with` : "";
  return `version ${formatVersion(version)}${untried}`;
}
