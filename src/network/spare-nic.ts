/** The interface that a machine has and nobody uses yet. A container that has no network does not see it. */
import { RunvError } from "../base/error";
import type { Guest } from "../guest/guest";
import type { Nic } from "../hypervisor/driver";
import { GuestLinks } from "./guest-links";
import { configureNetwork, findDevice, setDriver, setUpLoopback } from "./guest-programs";

/**
 * Sets the guest's loopback interface up, and takes the spare interface out of its sight. That holds for every machine, so it is
 * done once for all clones.
 * @returns the guest's name of the hidden device, for `showNic`
 * @throws RunvError GUEST_…
 */
export async function prepareNetwork(guest: Guest, spare: Nic | undefined): Promise<string | undefined> {
  for (const program of configureNetwork([setUpLoopback])) await guest.call(program);
  if (spare === undefined || spare.backend === "user") return undefined;
  const name = await new GuestLinks(guest).nameOf(spare.mac);
  const path = Buffer.from(await guest.call(findDevice(name))).toString();
  const device = /\/(virtio\d{1,6})$/.exec(path)?.[1];
  if (device === undefined) throw new RunvError("GUEST_MISBEHAVES", "the guest does not know its network device");
  await guest.call(setDriver(device, false));
  return device;
}

/** Brings a hidden device back. */
export async function showNic(guest: Guest, device: string): Promise<void> {
  await guest.call(setDriver(device, true));
}
