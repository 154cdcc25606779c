/**
 * A network of a machine: what a network namespace of the host's holds, one of the guest's gets, and keeps getting as it changes.
 */
import { messageOf, RunvError } from "../base/error";
import { log } from "../base/log";
import type { Machine, Nic } from "../hypervisor/driver";
import { addAddress, decodeAddress, deleteAddress, formatAddress, getAddresses } from "../linux/netlink/address";
import { setLink } from "../linux/netlink/link";
import type { NetlinkRequest } from "../linux/netlink/message";
import { changesOf } from "./changes";
import { loopback, type NetworkConfig, readNetwork } from "./config";
import { desiredItems, type Item } from "./desired";
import { NameForwarder } from "./dns/forwarder";
import { addressOf, refused } from "./extra-interfaces";
import type { GuestNamespace } from "./guest-namespace";
import type { HostNamespace } from "./host-namespace";
import type { InterfaceInfo, UpdateInterface } from "./interface-requests";
import type { LoopbackForwarder } from "./loopback/forwarder";
import type { FirstNetwork } from "./machine-network";
import type { MachineNics } from "./nics";
import { Plugs } from "./plugs";
import { watchNetwork } from "./watch";

/** How long changes may take that belong together. */
const settleMs = 20;
const retryMs = 100;
/** After what time a network is one that others on the host may want to connect to: what ends before that has no delay of it. */
const loopbackMs = 200;
const mostTries = 5;
const nothing: NetworkConfig = { links: [], addresses: [], routes: [], neighbours: [], rules: [] };

/** What it needs of a machine that runs. */
interface Attached {
  machine: Machine;
  guest: GuestNamespace;
  names: NameForwarder;
  hidden: string | undefined;
}

export class NamespaceNetwork implements FirstNetwork {
  readonly #nics: MachineNics;
  readonly #host: HostNamespace;
  readonly #plugs: Plugs;
  #told = new Map<string, Item>();
  #attached: Attached | undefined;
  #stopWatching: (() => void) | undefined;
  #loopback: LoopbackForwarder | undefined;
  #loopbackTimer: ReturnType<typeof setTimeout> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param own whether the namespace was made for the machine */
  constructor(nics: MachineNics, host: HostNamespace, own = false) {
    this.#nics = nics;
    this.#host = host;
    this.#plugs = new Plugs(nics, host, own);
  }

  firstNic(): Nic | undefined {
    return this.#plugs.makeSpare();
  }

  attach(machine: Machine, guest: GuestNamespace, hidden?: string): void {
    this.#attached = { machine, guest, names: new NameForwarder(this.#host, guest), hidden };
  }

  moveTo(namespace: number): void {
    this.#plugs.moveSpare(namespace);
    this.#host.moveTo(namespace);
  }

  sync(complete: boolean): Promise<void> {
    return this.#nics.inTurn(() => this.#sync(complete));
  }

  list(): InterfaceInfo[] {
    const addresses = this.#host.netlink.list(getAddresses(), decodeAddress);
    return [...this.#plugs.all.values()].flatMap(({ told }) => {
      if (told === undefined) return [];
      const own = addresses.filter(({ index }) => index === told.index).map(formatAddress);
      return [{ name: told.name, mac: told.mac, mtu: told.mtu, addresses: own }];
    });
  }

  /** What is changed is the namespace, which the guest follows. */
  async update({ name, addIp, deleteIp, mtu }: UpdateInterface): Promise<void> {
    const index = [...this.#plugs.all].find(([, { told }]) => told?.name === name)?.[0];
    if (index === undefined) throw refused(`there is no interface ${name}`);
    const steps: { doing: string; request: NetlinkRequest; back: NetlinkRequest }[] = [];
    const step = (what: string, request: NetlinkRequest, back: NetlinkRequest) =>
      steps.push({ doing: `${what} of the interface ${name}`, request, back });
    if (addIp !== undefined) {
      const address = addressOf(addIp, index);
      step(`add the address ${addIp}`, addAddress(address), deleteAddress(address));
    }
    if (deleteIp !== undefined) {
      const address = addressOf(deleteIp, index);
      step(`delete the address ${deleteIp}`, deleteAddress(address), addAddress(address));
    }
    const old = this.#plugs.all.get(index)?.told?.mtu;
    if (mtu !== undefined) step(`set the MTU ${mtu}`, setLink(index, { mtu }), setLink(index, { mtu: old ?? mtu }));
    this.#changeAll(steps);
    await this.sync(false);
  }

  /** Changes the namespace: all of it, or nothing. @throws NetlinkError */
  #changeAll(steps: readonly { doing: string; request: NetlinkRequest; back: NetlinkRequest }[]): void {
    const { netlink } = this.#host;
    for (const [index, { doing, request }] of steps.entries()) {
      try {
        netlink.change(doing, request);
      } catch (error) {
        for (const step of steps.slice(0, index).reverse()) {
          try {
            netlink.change(`undo: ${step.doing}`, step.back);
          } catch (cause) {
            log.warn(messageOf(cause));
          }
        }
        throw error;
      }
    }
  }

  leave(): Promise<void> {
    this.#stop();
    this.#plugs.cutAll();
    return this.#nics.inTurn(async () => {
      const { machine, names } = this.#running();
      this.#stop();
      names.close();
      for (const index of [...this.#plugs.all.keys()]) await this.#unplug(index, machine);
      await this.#configure(nothing);
    });
  }

  close(): void {
    this.#stop();
    this.#plugs.cutAll();
    this.#host.close();
  }

  #stop(): void {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    clearTimeout(this.#loopbackTimer);
    this.#loopbackTimer = undefined;
    this.#loopback?.close();
    this.#loopback = undefined;
  }

  async #sync(complete: boolean): Promise<void> {
    const { machine, guest, names, hidden } = this.#running();
    // First it is listened, then looked: what changes in between is heard.
    if (complete) this.#stopWatching ??= await watchNetwork(this.#host, () => this.#changed());
    const config = this.#host.enter(() => readNetwork(this.#host.netlink));
    const present = new Set(config.links.map(({ index }) => index));
    const { all } = this.#plugs;
    for (const index of [...all.keys()]) if (!present.has(index)) await this.#unplug(index, machine);
    for (const link of config.links) if (!all.has(link.index)) await this.#plugs.plug(link, machine, guest, hidden);
    await this.#configure(config);
    if (names.update()) this.#plugs.letNamesThrough();
    if (complete) this.#loopbackTimer ??= setTimeout(() => void this.#forwardLoopback(guest), loopbackMs);
  }

  async #forwardLoopback(guest: GuestNamespace): Promise<void> {
    const { LoopbackForwarder } = await import("./loopback/forwarder");
    if (this.#loopbackTimer !== undefined) this.#loopback ??= LoopbackForwarder.begin(this.#host, guest);
  }

  /** Follows the namespace: what changes comes in many pieces. */
  #changed(delay = settleMs, tries = 0): void {
    if (this.#stopWatching === undefined || this.#timer !== undefined) return;
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
    const { guest } = this.#running();
    const { all } = this.#plugs;
    const guestIndex = new Map([...all].map(([index, plugged]) => [index, plugged.guestIndex]));
    guestIndex.set(loopback, loopback);
    const links = config.links.flatMap((after) => {
      const { guestIndex: index, told: before } = all.get(after.index)!;
      return [{ hostIndex: after.index, index, before, after }];
    });
    const desired = desiredItems(config, guestIndex);
    await guest.configure(changesOf(this.#told, desired, links));
    this.#told = desired;
    for (const link of config.links) all.get(link.index)!.told = link;
  }

  async #unplug(index: number, machine: Machine): Promise<void> {
    for (const [key, { interfaces }] of this.#told) if (interfaces.includes(index)) this.#told.delete(key);
    await this.#plugs.unplug(index, machine);
  }

  #running(): Attached {
    if (this.#attached !== undefined) return this.#attached;
    throw new RunvError("SANDBOX_STARTING", "the virtual machine has not started yet");
  }
}
