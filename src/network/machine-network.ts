import type { Machine, Nic } from "../hypervisor/driver";
import type { GuestNamespace } from "./guest-namespace";
import type { InterfaceInfo, UpdateInterface } from "./interface-requests";

/** A network of a machine: what a network namespace of the host's holds, one of the guest's has. */
export interface MachineNetwork {
  /**
   * The machine runs, and its guest answers.
   * @param namespace the guest's
   * @param hidden the guest's name of the first interface's device, which `prepareNetwork` has hidden
   */
  attach(machine: Machine, namespace: GuestNamespace, hidden?: string): void;
  /**
   * Gives the guest what there is now.
   * @param complete the callers have filled the namespace: from now on what changes is followed
   * @throws RunvError NETWORK_…, GUEST_…, VM_…, UNSUPPORTED
   */
  sync(complete: boolean): Promise<void>;
  /** The guest's interfaces, without loopback. */
  list(): InterfaceInfo[];
  /** Changes one of them. @throws RunvError NETWORK_… */
  update(change: UpdateInterface): Promise<void>;
  /** No container uses it any more: takes from the guest what it was given. It can be used again. @throws RunvError GUEST_…, VM_… */
  leave(): Promise<void>;
  /** Lets go of the host's interfaces; the taps go with the machine. */
  close(): void;
}

/** The network with which a machine is made. */
export interface FirstNetwork extends MachineNetwork {
  /** The interface for the machine to boot with: it is there before anybody knows what for. */
  firstNic(): Nic | undefined;
  /**
   * This process goes on in another network namespace, before anything of this one was used.
   * @param namespace a descriptor, the caller's
   * @throws NetlinkError, SystemError
   */
  moveTo(namespace: number): void;
}
