/** The machines that there are. */
import type { Architecture } from "../src/linux/syscalls";
import { arm64 } from "./arm64";
import { debian13 } from "./debian13";
import { kvm } from "./kvm";
import type { LabKernel } from "./modules";
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

/** Directories of which an overlay is made, the upper first, and the kernel in them. */
export interface OwnFiles {
  layers: readonly string[];
  kernel: LabKernel;
  /** Systemd is their first process, not the lab's own. */
  systemd: boolean;
}

export interface LabKind {
  name: string;
  /** Its processor's, where that is not this host's. */
  architecture?: Architecture;
  /** QEMU's processor. */
  cpu: string;
  /** How many at most; as many as are useful if it is not said. */
  processors?: number;
  memoryMiB: number;
  /** Of one that has files of its own, which are not this host's. */
  files?(progress: (line: string) => void): Promise<OwnFiles>;
  /** Gets what it needs and this host has not. */
  prepare(parts: Parts, progress: (line: string) => void): Promise<Boot>;
}

export const kinds: Readonly<Record<string, LabKind>> = { arm64, debian13, kvm, xen };
