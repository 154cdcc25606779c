import type { Guest } from "../guest/guest";
import type { Machine, Nic } from "../hypervisor/driver";

/** The network of a machine. */
export interface MachineNetwork {
  /** The interface for the machine to boot with: it is there before anybody knows what for. */
  firstNic(): Nic | undefined;
  /** The machine runs, and its guest answers. */
  attach(machine: Machine, guest: Guest): void;
  /**
   * Gives the guest what there is now.
   * @param complete what is not there now is not to be expected soon: a spare interface is hidden
   * @throws RunvError NETWORK_…, GUEST_…, VM_…
   */
  sync(complete: boolean): Promise<void>;
  /** Lets go of the host's interfaces; the taps go with the machine. */
  close(): void;
}
