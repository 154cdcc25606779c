/** The machine's interfaces for those of a network namespace: each is joined to a port of the machine's, whose other end the guest has. */
import { messageOf, RunvError } from "../base/error";
import { log } from "../base/log";
import type { Machine, Nic } from "../hypervisor/driver";
import { setLink } from "../linux/netlink/link";
import { cutCable, joinCable, portIndex } from "./cable";
import type { Interface } from "./config";
import { letNamesThrough } from "./dns/upstream";
import type { GuestNamespace } from "./guest-namespace";
import type { HostNamespace } from "./host-namespace";
import { withSocket } from "./new-namespace";
import type { MachineNics, NicWithPort } from "./nics";
import { showNic } from "./spare-nic";
import type { Port } from "./tap";

/** An interface that the guest has. */
export interface Plugged extends NicWithPort {
  /** Its number in the guest. */
  guestIndex: number;
  /** As the guest was told; undefined before. */
  told: Interface | undefined;
  /** Answers to the namespace's own resolver are let through. */
  open: boolean;
}

export class Plugs {
  readonly #nics: MachineNics;
  readonly #host: HostNamespace;
  /** By their numbers in the namespace. */
  readonly all = new Map<number, Plugged>();
  /** The interface that the machine boots with, until something is found to join it to. */
  #spare: NicWithPort | undefined;
  /** The guest sees that one. */
  #shown = false;
  /** The namespace was made for the machine: what is left in it goes with it. */
  #own: boolean;

  constructor(nics: MachineNics, host: HostNamespace, own: boolean) {
    this.#nics = nics;
    this.#host = host;
    this.#own = own;
  }

  /** An interface to boot with, if there can be one. */
  makeSpare(): Nic | undefined {
    if (this.#nics.madeOf === "link") return undefined;
    try {
      this.#spare = this.#make();
      return this.#spare.nic;
    } catch (error) {
      // It may never be needed; if it is, making it will be tried again, and fail with a word.
      log.debug(messageOf(error));
      return undefined;
    }
  }

  /** Takes it to another network namespace, a descriptor. @throws NetlinkError */
  moveSpare(namespace: number): void {
    this.#own = false;
    if (this.#spare === undefined) return;
    this.#spare.port.keep(false);
    const { name } = this.#spare.port;
    const { netlink } = this.#host;
    netlink.change(
      `move ${name} to the container's network namespace`,
      setLink(portIndex(netlink, this.#spare.port), { namespace }),
    );
  }

  /**
   * Gives the guest an interface.
   * @param hidden the guest's name of the spare interface's device, which is hidden from it
   * @throws RunvError NETWORK_…, GUEST_…, VM_…, UNSUPPORTED
   */
  async plug(link: Interface, machine: Machine, namespace: GuestNamespace, hidden: string | undefined): Promise<void> {
    const spare = this.#spare;
    const { nic, port } = spare ?? this.#host.enter(() => this.#make());
    const byDriver = this.#nics.madeOf === "link";
    try {
      if (byDriver) await this.#addByDriver(machine, nic, port);
      joinCable(this.#host.netlink, link, port);
      if (spare === undefined && !byDriver) await machine.addNic(nic);
      else if (hidden !== undefined && !this.#shown) {
        await showNic(namespace.guest, hidden);
        this.#shown = true;
      }
      this.all.set(link.index, { nic, port, guestIndex: await namespace.take(nic.mac), told: undefined, open: false });
      this.#spare = undefined;
    } catch (error) {
      if (spare === undefined) {
        await machine.removeNic(nic.id).catch(() => {});
        port.close();
      } else {
        // It stays, to be joined again.
        cutCable(this.#host.netlink, portIndex(this.#host.netlink, port));
      }
      if (!(error instanceof RunvError && error.code === "NETWORK_BUSY")) cutCable(this.#host.netlink, link.index);
      throw error;
    }
  }

  #make(): NicWithPort {
    const made = this.#nics.make();
    if (this.#own) made.port.keep(true);
    return made;
  }

  /** Takes one from the guest. */
  async unplug(index: number, machine: Machine): Promise<void> {
    const { nic, port } = this.all.get(index)!;
    this.all.delete(index);
    cutCable(this.#host.netlink, index);
    await machine.removeNic(nic.id).finally(() => port.close());
  }

  /** A resolver in the namespace asks others in its turn; their answers are for it, not for the guest. */
  letNamesThrough(): void {
    for (const plugged of this.all.values()) {
      const { told, port } = plugged;
      if (plugged.open || told === undefined) continue;
      this.#host.enter(() => letNamesThrough(this.#host.netlink, told, port));
      plugged.open = true;
    }
  }

  /** Lets go of the namespace's interfaces. */
  cutAll(): void {
    for (const index of this.all.keys()) cutCable(this.#host.netlink, index);
  }

  /** The driver makes the port where this process is, from where it is brought to the namespace. */
  async #addByDriver(machine: Machine, nic: Nic, port: Port): Promise<void> {
    await machine.addNic(nic);
    const { fd } = this.#host;
    if (fd === undefined) return;
    withSocket((socket) => {
      socket.change(`move ${port.name} to its network namespace`, setLink(portIndex(socket, port), { namespace: fd }));
    })();
  }
}
