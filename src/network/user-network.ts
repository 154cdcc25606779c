import { RunvError } from "../base/error";
import type { Machine, Nic } from "../hypervisor/driver";
import { addAddress, parseAddress } from "../linux/netlink/address";
import { setLink } from "../linux/netlink/link";
import { addRoute, defaultRoute } from "../linux/netlink/route";
import { parseIp } from "../linux/netlink/scalars";
import { refused } from "./extra-interfaces";
import type { GuestNamespace } from "./guest-namespace";
import type { Step } from "./guest-programs";
import type { InterfaceInfo } from "./interface-requests";
import type { FirstNetwork } from "./machine-network";
import { type MachineNics, provisionalMac } from "./nics";

/** As QEMU's user networking has them. */
const guestAddress = "10.0.2.15/24";
const router = "10.0.2.2";

/**
 * The host's own network for a guest: what the guest connects to, the hypervisor connects to in its place, with the host's
 * addresses, routes and names. What listens in the guest is not seen from outside.
 */
export class UserNetwork implements FirstNetwork {
  readonly #number: number;
  #guest: GuestNamespace | undefined;
  #done = false;

  constructor(nics: MachineNics) {
    this.#number = nics.number();
  }

  firstNic(): Nic {
    return { id: `nic${this.#number}`, mac: this.#mac, backend: "user" };
  }

  attach(_: Machine, guest: GuestNamespace): void {
    this.#guest = guest;
  }

  moveTo(): void {
    throw new RunvError("UNSUPPORTED", "a machine on the host's network is not given another one");
  }

  async sync(): Promise<void> {
    if (this.#guest === undefined) throw new RunvError("SANDBOX_STARTING", "the virtual machine has not started yet");
    if (this.#done) return;
    const index = await this.#guest.take(this.#mac);
    await this.#guest.configure(stepsFor(index));
    this.#done = true;
  }

  list(): InterfaceInfo[] {
    return [{ name: "eth0", mac: this.#mac, addresses: [guestAddress], mtu: 1500 }];
  }

  async update(): Promise<void> {
    throw refused("the interface of a container on the host's network is the hypervisor's own, and stays as it is");
  }

  /** Its interface stays: what the hypervisor stands for is nobody else's. */
  async leave(): Promise<void> {}

  close(): void {}

  /** It keeps the address that it begins with. */
  get #mac(): string {
    return provisionalMac(this.#number);
  }
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
