/** The machines that there are. */
import { kvm } from "./kvm";

/** What a machine is made of, as files of this host. */
export interface Parts {
  kernel: string;
  initrd: string;
  /** What is to be done, shared with the machine, which writes its exit code there. */
  order: string;
  results: string;
  /** Where the kernel's console goes. */
  console: string;
  /** A directory that is removed afterwards. */
  scratch: string;
}

/** What a machine boots. */
export interface Boot extends Parts {
  /** QEMU's arguments for the kernel. */
  boot: readonly string[];
}

export interface LabKind {
  name: string;
  /** QEMU's processor. */
  cpu: string;
  memoryMiB: number;
  /** Gets what it needs and this host has not. */
  prepare(parts: Parts, progress: (line: string) => void): Promise<Boot>;
}

export const kinds: Readonly<Record<string, LabKind>> = { kvm };
