/** The machines that there are. */
import { kvm } from "./kvm";
import { xen } from "./xen";

/** Files of this host that a machine is made of. */
export interface Parts {
  kernel: string;
  initrd: string;
  /** A directory that is removed afterwards. */
  scratch: string;
}

/** What a machine boots. */
export interface Boot {
  /** QEMU's arguments for it. */
  boot: readonly string[];
  /** A directory whose files lie over this host's. */
  tree?: string;
}

export interface LabKind {
  name: string;
  /** QEMU's processor. */
  cpu: string;
  /** How many at most; as many as are useful if it is not said. */
  processors?: number;
  memoryMiB: number;
  /** Gets what it needs and this host has not. */
  prepare(parts: Parts, progress: (line: string) => void): Promise<Boot>;
}

export const kinds: Readonly<Record<string, LabKind>> = { kvm, xen };
