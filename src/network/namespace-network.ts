/**
 * The network of a machine: what the network namespace holds that this process is in, the guest gets, and keeps getting as it
 * changes. Each interface is joined to a port of the machine's.
 */
import { messageOf, RunvError } from "../base/error";
import { log } from "../base/log";
import type { Guest } from "../guest/guest";
import type { Driver, Machine, Nic } from "../hypervisor/driver";
import { CLONE_NEWNET } from "../linux/constants";
import { syscall } from "../linux/local";
import { addAddress, decodeAddress, deleteAddress, formatAddress, getAddresses } from "../linux/netlink/address";
import { setLink } from "../linux/netlink/link";
import { NetlinkSocket } from "../linux/netlink/socket";
import { cutCable, joinCable, portIndex } from "./cable";
import { changesOf } from "./changes";
import { type Interface, loopback, type NetworkConfig, readNetwork } from "./config";
import { desiredItems, type Item } from "./desired";
import { NameForwarder } from "./dns/forwarder";
import { letNamesThrough } from "./dns/upstream";
import { addressOf, refused } from "./extra-interfaces";
import { GuestLinks } from "./guest-links";
import { configureNetwork } from "./guest-programs";
import type { InterfaceInfo, UpdateInterface } from "./interface-requests";
import type { MachineNetwork } from "./machine-network";
import { provisionalMac, type SpareNic, showNic } from "./spare-nic";
import { driversPort, makeTap, type Port } from "./tap";
import { watchNetwork } from "./watch";

/** How long changes may take that belong together. */
const settleMs = 20;
const retryMs = 100;
const mostTries = 5;

/** An interface that the guest has. */
interface Plugged {
  nic: Nic;
  port: Port;
  /** Its number in the guest. */
  guestIndex: number;
  /** As the guest was told; undefined before. */
  told: Interface | undefined;
}

export class NamespaceNetwork implements MachineNetwork {
  readonly #nics: Driver["nics"];
  #socket = new NetlinkSocket();
  /** By their numbers in the namespace. */
  readonly #plugged = new Map<number, Plugged>();
  #told = new Map<string, Item>();
  #machine: Machine | undefined;
  #guest: Guest | undefined;
  #links: GuestLinks | undefined;
  #next = 0;
  /** The interface that the machine boots with, until something is found to join it to. */
  #spare: SpareNic | undefined;
  /** Its device's name in the guest. */
  #hidden: string | undefined;
  #queue: Promise<void> = Promise.resolve();
  #names: NameForwarder | undefined;
  /** Interfaces at which answers to the namespace's own resolver are let through. */
  readonly #open = new Set<number>();
  #stopWatching: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** @param nics what the machine's driver makes interfaces of */
  constructor(nics: Driver["nics"]) {
    this.#nics = nics;
  }

  firstNic(): Nic | undefined {
    if (this.#nics === "link") return undefined;
    try {
      this.#spare = this.#makeNic();
      return this.#spare.nic;
    } catch (error) {
      // It may never be needed; if it is, making it will be tried again, and fail with a word.
      log.debug(messageOf(error));
      return undefined;
    }
  }

  attach(machine: Machine, guest: Guest, hidden: string | undefined): void {
    this.#hidden = hidden;
    this.#machine = machine;
    this.#guest = guest;
    this.#links = new GuestLinks(guest);
    this.#names = new NameForwarder(guest);
  }

  moveTo(namespace: number): void {
    const spare = this.#spare;
    if (spare !== undefined) {
      const doing = `move ${spare.port.name} to the container's network namespace`;
      this.#socket.change(doing, setLink(portIndex(this.#socket, spare.port), { namespace }));
    }
    syscall("setns", namespace, CLONE_NEWNET);
    this.#socket.close();
    this.#socket = new NetlinkSocket();
  }

  sync(complete: boolean): Promise<void> {
    const done = this.#queue.then(() => this.#sync(complete));
    this.#queue = done.catch(() => {});
    return done;
  }

  list(): InterfaceInfo[] {
    const addresses = this.#socket.list(getAddresses(), decodeAddress);
    return [...this.#plugged.values()].flatMap(({ told }) => {
      if (told === undefined) return [];
      const own = addresses.filter(({ index }) => index === told.index).map(formatAddress);
      return [{ name: told.name, mac: told.mac, mtu: told.mtu, addresses: own }];
    });
  }

  /** What is changed is the namespace, which the guest follows. */
  async update({ name, addIp, deleteIp, mtu }: UpdateInterface): Promise<void> {
    const index = [...this.#plugged].find(([, { told }]) => told?.name === name)?.[0];
    if (index === undefined) throw refused(`there is no interface ${name}`);
    const doing = `update the interface ${name}`;
    if (addIp !== undefined) this.#socket.change(doing, addAddress(addressOf(addIp, index)));
    if (deleteIp !== undefined) this.#socket.change(doing, deleteAddress(addressOf(deleteIp, index)));
    if (mtu !== undefined) this.#socket.change(doing, setLink(index, { mtu }));
    await this.sync(false);
  }

  close(): void {
    this.#closed = true;
    this.#stopWatching?.();
    for (const index of this.#plugged.keys()) cutCable(this.#socket, index);
    this.#plugged.clear();
    this.#socket.close();
  }

  async #sync(complete: boolean): Promise<void> {
    const config = readNetwork(this.#socket);
    const present = new Set(config.links.map(({ index }) => index));
    for (const index of this.#plugged.keys()) if (!present.has(index)) await this.#unplug(index);
    for (const link of config.links) if (!this.#plugged.has(link.index)) await this.#plug(link);
    await this.#configure(config);
    if (this.#names?.update() === true) this.#letNamesThrough();
    if (!complete) return;
    this.#stopWatching ??= await watchNetwork(() => this.#changed());
  }

  /** A resolver in the namespace asks others in its turn; their answers are for it, not for the guest. */
  #letNamesThrough(): void {
    for (const [index, { port, told }] of this.#plugged) {
      if (this.#open.has(index) || told === undefined) continue;
      letNamesThrough(this.#socket, told, port);
      this.#open.add(index);
    }
  }

  /** Follows the namespace: what changes comes in many pieces. */
  #changed(delay = settleMs, tries = 0): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.sync(false).catch((error) => {
        log.warn(`follow the network namespace: ${messageOf(error)}`);
        // What a change needs may come with the next one; if none comes, it was something else.
        if (tries < mostTries) this.#changed(retryMs * 2 ** tries, tries + 1);
      });
    }, delay);
  }

  async #configure(config: NetworkConfig): Promise<void> {
    const guestIndex = new Map([...this.#plugged].map(([index, plugged]) => [index, plugged.guestIndex]));
    guestIndex.set(loopback, loopback);
    const links = config.links.flatMap((after) => {
      const { guestIndex: index, told: before } = this.#plugged.get(after.index)!;
      return [{ hostIndex: after.index, index, before, after }];
    });
    const desired = desiredItems(config, guestIndex);
    const steps = changesOf(this.#told, desired, links);
    for (const program of configureNetwork(steps)) await this.#attached().guest.call(program);
    this.#told = desired;
    for (const link of config.links) this.#plugged.get(link.index)!.told = link;
  }

  async #plug(link: Interface): Promise<void> {
    const { machine, guest, links } = this.#attached();
    const spare = this.#spare;
    const { nic, port } = spare ?? this.#makeNic();
    const byDriver = this.#nics === "link";
    try {
      if (byDriver) await machine.addNic(nic);
      joinCable(this.#socket, link, port);
      if (spare === undefined && !byDriver) await machine.addNic(nic);
      else if (this.#hidden !== undefined) await showNic(guest, this.#hidden);
      this.#plugged.set(link.index, { nic, port, guestIndex: await links.find(nic.mac), told: undefined });
      this.#spare = undefined;
    } catch (error) {
      if (byDriver) await machine.removeNic(nic.id).catch(() => {});
      if (spare === undefined) port.close();
      if (!(error instanceof RunvError && error.code === "NETWORK_BUSY")) cutCable(this.#socket, link.index);
      throw error;
    }
  }

  async #unplug(index: number): Promise<void> {
    const { nic, port } = this.#plugged.get(index)!;
    this.#plugged.delete(index);
    this.#open.delete(index);
    cutCable(this.#socket, index);
    for (const [key, { interfaces }] of this.#told) if (interfaces.includes(index)) this.#told.delete(key);
    await this.#attached().machine.removeNic(nic.id);
    port.close();
  }

  #makeNic(): SpareNic {
    const number = this.#next++;
    const name = `runv${number}`;
    const port = this.#nics === "link" ? driversPort(name) : makeTap(name);
    return { nic: { id: `nic${number}`, mac: provisionalMac(number), backend: port.backend }, port };
  }

  #attached(): { machine: Machine; guest: Guest; links: GuestLinks } {
    const [machine, guest, links] = [this.#machine, this.#guest, this.#links];
    if (machine !== undefined && guest !== undefined && links !== undefined) return { machine, guest, links };
    throw new RunvError("SANDBOX_STARTING", "the virtual machine has not started yet");
  }
}
