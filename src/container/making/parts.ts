/** What a container is made of, as its makers say it to `Making`. */
import type { ContainerPrograms } from "../../guest/lower/container";
import type { SharedSettings } from "../../guest/lower/settings";
import type { SandboxClient } from "../../sandbox/client";
import type { LaunchRequest, MachineInfo } from "../../sandbox/messages";
import type { Shape } from "../../sandbox/shape";
import type { BranchRecord, ContainerRecord } from "../record/store";
import type { RootView } from "../shim/root-view";
import type { ShimHandle } from "../shim/spawn-shim";

/** A container that was made and waits to be started; its shim waits to be released. */
export interface Created {
  record: ContainerRecord;
  shim: ShimHandle;
}

/** What a container's configuration becomes. */
export interface Lowered extends ContainerPrograms {
  settings: SharedSettings;
}

/** What a container is made of that is a copy of a running one. */
export interface BranchParts {
  /** Has its monitor fork the machine. @throws RunvError VM_FORK, BRANCH_REFUSED */
  fork(sandbox: SandboxClient, machine: Omit<LaunchRequest, "op">): Promise<MachineInfo>;
  /** The handle of its first process. */
  init: number;
  /** What its machine has, where that is not what its limits want. */
  size?: Shape;
  /** What is on disk of it. */
  record: BranchRecord;
}

/** What a container does with its machine, while that starts and when it has started. */
export interface ContainerParts {
  /**
   * Writes its programs: while the machine starts.
   * @param network the handle of a process whose network namespace in the guest is the container's, where that is not the guest's own
   * @throws RunvError what cannot be
   */
  lower(network: number | undefined): Lowered;
  /** Puts its trees into the sandbox. */
  share(sandbox: SandboxClient): Promise<void>;
  /** Has the machine make the memory that it shares with others. */
  shareMemory(sandbox: SandboxClient): Promise<void>;
  /** Takes from them what they were only needed to be prepared with. */
  seal(sandbox: SandboxClient): Promise<void>;
  /** Gives its disks to the machine. @returns the programs, with the guest's numbers of them, and /etc/passwd of a root file system that is one */
  addDisks(sandbox: SandboxClient, programs: Lowered): Promise<{ programs: ContainerPrograms; passwd?: string }>;
  /** It is a copy of another one that runs: its machine is forked from that one's, and its processes are there. */
  branch?: BranchParts;
  /** What its shim shows of the host, once the machine is there. */
  view(): RootView;
}

/** What comes after a container is made. */
export interface MakingPlan {
  /** The command returns while the container runs. */
  detach: boolean;
  /** It is started at once: its network namespace is as its callers want it, and what they change from now on is followed. */
  complete: boolean;
}
