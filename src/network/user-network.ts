import { RunvError } from "../base/error";
import type { Guest } from "../guest/guest";
import type { Machine, Nic } from "../hypervisor/driver";
import { addAddress, parseAddress } from "../linux/netlink/address";
import { setLink } from "../linux/netlink/link";
import { addRoute, defaultRoute } from "../linux/netlink/route";
import { parseIp } from "../linux/netlink/scalars";
import { refused } from "./extra-interfaces";
import { GuestLinks } from "./guest-links";
import { configureNetwork, type Step } from "./guest-programs";
import type { InterfaceInfo } from "./interface-requests";
import type { MachineNetwork } from "./machine-network";
import { provisionalMac } from "./spare-nic";

/** As QEMU's user networking has them. */
const guestAddress = "10.0.2.15/24";
const router = "10.0.2.2";

/**
 * The host's own network for a guest: what the guest connects to, the hypervisor connects to in its place, with the host's
 * addresses, routes and names. What listens in the guest is not seen from outside.
 */
export class UserNetwork implements MachineNetwork {
  #guest: Guest | undefined;
  #done = false;

  firstNic(): Nic {
    return { id: "nic0", mac: provisionalMac(0), backend: "user" };
  }

  attach(_: Machine, guest: Guest): void {
    this.#guest = guest;
  }

  moveTo(): void {
    throw new RunvError("UNSUPPORTED", "a machine on the host's network is not given another one");
  }

  async sync(): Promise<void> {
    if (this.#guest === undefined) throw new RunvError("SANDBOX_STARTING", "the virtual machine has not started yet");
    if (this.#done) return;
    const index = await new GuestLinks(this.#guest).find(provisionalMac(0));
    for (const program of configureNetwork(stepsFor(index))) await this.#guest.call(program);
    this.#done = true;
  }

  list(): InterfaceInfo[] {
    return [{ name: "eth0", mac: provisionalMac(0), addresses: [guestAddress], mtu: 1500 }];
  }

  async update(): Promise<void> {
    throw refused("the interface of a container on the host's network is the hypervisor's own, and stays as it is");
  }

  close(): void {}
}

function stepsFor(index: number): Step[] {
  return [
    { doing: "set up the interface eth0", request: setLink(index, { name: "eth0", up: true }), accept: [] },
    { doing: `add the address ${guestAddress}`, request: addAddress(parseAddress(guestAddress, index)!), accept: [] },
    {
      doing: "add the default route",
      request: addRoute(defaultRoute(parseIp(router)!, index), (same) => same),
      accept: [],
    },
  ];
}
