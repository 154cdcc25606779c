import { closeSync } from "node:fs";
import { anyway } from "../base/anyway";
import { RunvError } from "../base/error";
import type { Machine } from "../hypervisor/driver";
import { type Address, formatAddress, parseAddress } from "../linux/netlink/address";
import { ARPHRD_ETHER } from "../linux/netlink/constants";
import { formatMac, parseMac } from "../linux/netlink/scalars";
import { takeDescriptor } from "../linux/take-descriptor";
import { changesOf } from "./changes";
import type { Interface } from "./config";
import { desiredItems, type Item } from "./desired";
import type { GuestNamespace } from "./guest-namespace";
import type { AddInterface, InterfaceInfo, UpdateInterface } from "./interface-requests";
import { type MachineNics, provisionalMac } from "./nics";

interface Extra {
  id: string;
  tap: number;
  guestIndex: number;
  link: Interface;
  addresses: Address[];
  told: Map<string, Item>;
}

const defaultMtu = 1500;

/** Interfaces that somebody has given to a machine by hand, beside those of a network namespace. */
export class ExtraInterfaces {
  readonly #machine: Machine;
  readonly #nics: MachineNics;
  readonly #guest: GuestNamespace;
  readonly #extras = new Map<string, Extra>();

  /** @param guest the namespace that is to have them */
  constructor(machine: Machine, nics: MachineNics, guest: GuestNamespace) {
    this.#machine = machine;
    this.#nics = nics;
    this.#guest = guest;
  }

  list(): InterfaceInfo[] {
    return [...this.#extras.values()].map(({ link, addresses }) => ({
      name: link.name,
      mac: link.mac,
      addresses: addresses.map(formatAddress),
      mtu: link.mtu,
    }));
  }

  /** @param taken names that the guest has already @throws RunvError NETWORK_INTERFACE, NETWORK_GUEST, VM_… */
  async add({ pid, tap: theirs, name, ip, mac, mtu }: AddInterface, taken: readonly string[]): Promise<void> {
    const number = this.#nics.number();
    const link: Interface = {
      index: number,
      name: name ?? freeName([...taken, ...this.#extras.keys()]),
      type: ARPHRD_ETHER,
      up: true,
      arp: true,
      mtu: mtu ?? defaultMtu,
      mac: macOf(mac),
      kind: "tun",
      master: undefined,
      disableIpv6: false,
    };
    if (taken.includes(link.name) || this.#extras.has(link.name))
      throw refused(`there is an interface ${link.name} already`);
    const addresses = ip === undefined ? [] : [addressOf(ip, number)];
    const tap = takeDescriptor(pid, theirs);
    const id = `nic${number}`;
    try {
      await this.#nics.inTurn(async () => {
        await this.#machine.addNic({ id, mac: provisionalMac(number), backend: { tap } });
        const guestIndex = await this.#guest.take(provisionalMac(number));
        const extra: Extra = { id, tap, guestIndex, link, addresses, told: new Map() };
        await this.#tell(extra, undefined);
        this.#extras.set(link.name, extra);
      });
    } catch (error) {
      await this.#machine.removeNic(id).catch(() => {});
      closeSync(tap);
      throw error;
    }
  }

  /** @returns whether it is one of these */
  async remove(name: string): Promise<boolean> {
    const extra = this.#extras.get(name);
    if (extra === undefined) return false;
    await this.#machine.removeNic(extra.id);
    closeSync(extra.tap);
    return this.#extras.delete(name);
  }

  /** Takes them all away. */
  async removeAll(): Promise<void> {
    for (const name of [...this.#extras.keys()]) await this.remove(name);
  }

  /** @returns whether it is one of these */
  async update({ name, addIp, deleteIp, mtu }: UpdateInterface): Promise<boolean> {
    const extra = this.#extras.get(name);
    if (extra === undefined) return false;
    const { link, addresses } = extra;
    const removed = deleteIp === undefined ? undefined : formatAddress(addressOf(deleteIp, link.index));
    if (removed !== undefined && !addresses.some((address) => formatAddress(address) === removed)) {
      throw refused(`${name} has no address ${removed}`);
    }
    const kept = addresses.filter((address) => formatAddress(address) !== removed);
    const added = addIp === undefined ? [] : [addressOf(addIp, link.index)];
    const twice = added.map(formatAddress).find((address) => kept.map(formatAddress).includes(address));
    if (twice !== undefined) throw refused(`${name} has the address ${twice} already`);
    const changed = { ...extra, link: { ...link, mtu: mtu ?? link.mtu }, addresses: [...kept, ...added] };
    await this.#tell(changed, link);
    this.#extras.set(name, changed);
    return true;
  }

  /** Tells the guest what changed: it has all of it then, or nothing. */
  async #tell(extra: Extra, before: Interface | undefined): Promise<void> {
    const { link, addresses, guestIndex } = extra;
    const config = { links: [link], addresses, routes: [], neighbours: [], rules: [] };
    const desired = desiredItems(config, new Map([[link.index, guestIndex]]));
    const pair = { hostIndex: link.index, index: guestIndex };
    try {
      await this.#guest.configure(changesOf(extra.told, desired, [{ ...pair, before, after: link }]));
    } catch (error) {
      // A part may be done. A new interface goes altogether.
      const back = () => changesOf(desired, extra.told, [{ ...pair, before: link, after: before! }]);
      if (before !== undefined) await anyway(() => this.#guest.configure(back()));
      throw error;
    }
    extra.told = desired;
  }
}

/** The address that a user has written. @throws RunvError NETWORK_INTERFACE */
export function addressOf(text: string, index: number): Address {
  const address = parseAddress(text, index);
  if (address !== undefined) return address;
  throw refused(`${JSON.stringify(text)} is no address with a mask, as 192.168.0.2/24`);
}

export function refused(message: string): RunvError {
  return new RunvError("NETWORK_INTERFACE", message);
}

function macOf(mac: string | undefined): string {
  if (mac === undefined) {
    const random = crypto.getRandomValues(new Uint8Array(6));
    // Locally administered, of a single station.
    random[0] = (random[0]! & 0xfc) | 2;
    return formatMac(random);
  }
  const bytes = parseMac(mac);
  if (bytes === undefined || (bytes[0]! & 1) !== 0)
    throw refused(`${JSON.stringify(mac)} is no MAC address of an interface`);
  return formatMac(bytes);
}

function freeName(taken: readonly string[]): string {
  for (let number = 0; ; number++) if (!taken.includes(`eth${number}`)) return `eth${number}`;
}
