/**
 * What a container is made on: the kernel of a guest, or this host's own. What it is made of is the same on both, and written once; this is
 * all in which they differ.
 */
import type { Config } from "../../oci/config";
import type { Mount } from "../../oci/mounts";
import type { NamespaceType } from "../../oci/namespaces";
import type { Process } from "../../oci/process";
import type { Assembler, Register } from "../../program/assembler";
import { Stdio } from "../../program/instruction";
import { rootPath } from "../places";
import { cgroupOf, lowerCgroup } from "./cgroup";
import type { HookPlan } from "./hooks";
import { requireHooks } from "./hooks";
import { joinCgroupOf } from "./join-cgroup";
import type { MountOptions } from "./mount-flags";
import { joinCgroup, self, type Target } from "./outer";
import { lowerPipes } from "./stdio";

export interface Ground {
  /** The namespaces that the first process is cloned into, where the container is to have its own. */
  cloned: readonly NamespaceType[];
  /** Whether a process waits, at a `stop`, as soon as it is there: somebody is to do something with it. A user namespace has it wait anyway. */
  waitsAtBirth: boolean;
  /** How many descriptors a process may have while it makes its container, which of each mount has one for a while. */
  descriptors: number;
  /** Where the root file system is mounted to be pivoted to, in the container's mount namespace. */
  rootPlace(rootfs: string): string;
  /** Has the target be in the container's cgroup, with its limits and devices. */
  enterCgroup(p: Assembler, config: Config, target: Target): void;
  /** Has a further process be where the first one is, beside its namespaces: in its cgroup, or in one below. @param init the handle of the first */
  joinFirst(p: Assembler, init: number, subCgroup: string | undefined): void;
  /** What belongs to its namespaces once it is in them, while it is root of the machine or of its user namespace. */
  settle(p: Assembler, config: Config): void;
  /** Where the container's cgroup of version 2 is, where it is one new file system. */
  cgroup: string;
  /** Mounts the container's cgroups, and takes care of the whole mount, where they are not one new file system. @returns whether it did */
  mountCgroups(p: Assembler, root: Register, mount: Mount, options: MountOptions): boolean;
  /** Whether a user namespace's sysfs is the machine's, mounted: the network belongs to the machine's root. */
  bindsSys: boolean;
  /** Refuses createContainer hooks that cannot be run. */
  requireHooks(p: Assembler, root: Register, plan: HookPlan): void;
  /** Whether createContainer hooks are looked up in the container's root file system. */
  hooksInRoot: boolean;
  /** `Stdio` bits of a process's head. */
  stdio(process: Process): number;
  /** Makes the streams of a process without a terminal its user's, and begins a session. */
  lowerStreams(p: Assembler, process: Process): void;
  /** Waits until the container is started. */
  waitForStart(p: Assembler): void;
}

/** A guest's, for the container with this id. */
export function guestGround(id: string): Ground {
  return {
    // The network is the machine's root's: the guest's own, or one that the process joins first of all.
    cloned: ["pid", "uts", "ipc", "user"],
    waitsAtBirth: false,
    descriptors: 65_536,
    rootPlace: () => rootPath,
    enterCgroup(p, { linux }, target) {
      lowerCgroup(p, id, linux.resources);
      joinCgroup(p, id, target);
    },
    joinFirst(p, init, subCgroup) {
      if (subCgroup === undefined) joinCgroupOf(p, id, init);
      else joinCgroup(p, subCgroup === "" ? id : `${id}/${subCgroup}`, self(p));
    },
    settle: () => {},
    cgroup: cgroupOf(id),
    mountCgroups: () => false,
    bindsSys: true,
    requireHooks,
    hooksInRoot: true,
    stdio: ({ terminal }) => (terminal ? Stdio.terminal : Stdio.stdin | Stdio.stdout | Stdio.stderr),
    lowerStreams: lowerPipes,
    waitForStart: (p) => p.stop(),
  };
}
