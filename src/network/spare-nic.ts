import { RunvError } from "../base/error";
import type { Guest } from "../guest/guest";
import type { Nic } from "../hypervisor/driver";
import { formatMac } from "../linux/netlink/scalars";
import { GuestLinks } from "./guest-links";
import { findDevice, setDriver } from "./guest-programs";
import type { Tap } from "./tap";

/** An interface that the machine has and nobody uses yet. A container that has no network does not see it. */
export class SpareNic {
  /** The guest's name of the device, while it is hidden. */
  #hidden: string | undefined;

  constructor(
    readonly nic: Nic,
    readonly tap: Tap,
  ) {}

  /** Takes it out of the guest's sight. */
  async hide(guest: Guest): Promise<void> {
    if (this.#hidden !== undefined) return;
    const name = await new GuestLinks(guest).nameOf(this.nic.mac);
    const path = Buffer.from(await guest.call(findDevice(name))).toString();
    const device = /\/(virtio\d{1,6})$/.exec(path)?.[1];
    if (device === undefined) throw new RunvError("GUEST_MISBEHAVES", "the guest does not know its network device");
    await guest.call(setDriver(device, false));
    this.#hidden = device;
  }

  /** Brings it back. */
  async show(guest: Guest): Promise<void> {
    if (this.#hidden === undefined) return;
    await guest.call(setDriver(this.#hidden, true));
    this.#hidden = undefined;
  }
}

/** The address of a new interface, "runv" and a number, by which it is found in the guest; it gets its own before it is used. */
export function provisionalMac(number: number): string {
  return formatMac(Uint8Array.of(0x02, ...Buffer.from("runv"), number & 0xff));
}
