import type { Guest } from "../guest/guest";
import type { Machine, Nic } from "../hypervisor/driver";
import type { InterfaceInfo, UpdateInterface } from "./interface-requests";

/** The network of a machine. */
export interface MachineNetwork {
  /** The interface for the machine to boot with: it is there before anybody knows what for. */
  firstNic(): Nic | undefined;
  /**
   * The machine runs, and its guest answers.
   * @param hidden the guest's name of the first interface's device, which `prepareNetwork` has hidden
   */
  attach(machine: Machine, guest: Guest, hidden: string | undefined): void;
  /**
   * Goes on in another network namespace, with this process, before anything of this one was used.
   * @param namespace a descriptor, the caller's
   * @throws NetlinkError, SystemError
   */
  moveTo(namespace: number): void;
  /**
   * Gives the guest what there is now.
   * @param complete the callers have filled the namespace: from now on what changes is followed
   * @throws RunvError NETWORK_…, GUEST_…, VM_…
   */
  sync(complete: boolean): Promise<void>;
  /** The guest's interfaces, without loopback. */
  list(): InterfaceInfo[];
  /** Changes one of them. @throws RunvError NETWORK_… */
  update(change: UpdateInterface): Promise<void>;
  /** Lets go of the host's interfaces; the taps go with the machine. */
  close(): void;
}
