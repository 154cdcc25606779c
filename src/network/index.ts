/** What a machine's network can be. */
import type { Driver } from "../hypervisor/driver";
import type { MachineNetwork } from "./machine-network";
import { NamespaceNetwork } from "./namespace-network";
import { UserNetwork } from "./user-network";

export { ExtraInterfaces } from "./extra-interfaces";
export { changeInterfaces } from "./interfaces";
export type { MachineNetwork };

/**
 * The network of a machine.
 * @param kind that of the namespace in which this process is, or, where that is the host's own, a router in the hypervisor
 * @param nics what the machine's driver makes interfaces of
 */
export function openNetwork(kind: "namespace" | "host", nics: Driver["nics"]): MachineNetwork {
  return kind === "host" ? new UserNetwork() : new NamespaceNetwork(nics);
}
