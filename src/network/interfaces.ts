import type { ExtraInterfaces } from "./extra-interfaces";
import { refused } from "./extra-interfaces";
import type { InterfaceChange, InterfaceInfo } from "./interface-requests";
import type { MachineNetwork } from "./machine-network";

/**
 * Does what `runv interface` asks for.
 * @returns the guest's interfaces then
 * @throws RunvError NETWORK_…, GUEST_…, VM_…
 */
export async function changeInterfaces(
  network: MachineNetwork,
  extras: ExtraInterfaces,
  change: InterfaceChange,
): Promise<InterfaceInfo[]> {
  const own = network.list();
  const isOwn = (name: string) => own.some((known) => known.name === name);
  if (change.do === "add") await extras.add(change, [...own.map(({ name }) => name)]);
  else if (change.do === "remove" && !(await extras.remove(change.name))) {
    if (!isOwn(change.name)) throw unknown(change.name);
    throw refused(`${change.name} belongs to the container's network namespace: it goes when it is removed there`);
  } else if (change.do === "update" && !(await extras.update(change))) {
    if (!isOwn(change.name)) throw unknown(change.name);
    await network.update(change);
  }
  return [...network.list(), ...extras.list()];
}

function unknown(name: string) {
  return refused(`can't find target interface name ${JSON.stringify(name)}`);
}
