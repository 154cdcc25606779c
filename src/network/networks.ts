/**
 * The networks of a machine: the one with which it was made, and those of containers that are in it for the sake of other namespaces, which they
 * share with a container of it.
 */
import { fstatSync, openSync, statSync } from "node:fs";
import { RunvError } from "../base/error";
import type { Guest } from "../guest/guest";
import type { Driver, Machine, Nic } from "../hypervisor/driver";
import { ExtraInterfaces } from "./extra-interfaces";
import { GuestNamespace } from "./guest-namespace";
import { HostNamespace } from "./host-namespace";
import type { InterfaceChange, InterfaceInfo } from "./interface-requests";
import { changeInterfaces } from "./interfaces";
import type { FirstNetwork, MachineNetwork } from "./machine-network";
import { NamespaceNetwork } from "./namespace-network";
import { MachineNics } from "./nics";
import { UserNetwork } from "./user-network";

/** Whose the network namespace is with which a machine is made: its own, somebody else's, or the host's. */
export type NetworkKind = "new" | "given" | "host";

/** A network of a machine that runs, and the ids of the containers that have it. */
interface Used {
  network: MachineNetwork;
  guest: GuestNamespace;
  extras: ExtraInterfaces;
  users: Set<string>;
}

export class Networks {
  readonly #nics: MachineNics;
  readonly #first: FirstNetwork;
  #running: { machine: Machine; guest: Guest; first: Used } | undefined;
  /** All but the first, by the host's namespaces. */
  readonly #others = new Map<string, Used>();

  /**
   * @param kind the first is that of the namespace in which this process is, which is new or somebody else's; or, where that is the host's own,
   *   a router in the hypervisor
   * @param madeOf what the machine's driver makes interfaces of
   */
  constructor(kind: NetworkKind, madeOf: Driver["nics"]) {
    this.#nics = new MachineNics(madeOf);
    this.#first =
      kind === "host"
        ? new UserNetwork(this.#nics)
        : new NamespaceNetwork(this.#nics, new HostNamespace(), kind === "new");
  }

  /** The interface for the machine to boot with: see `FirstNetwork`. */
  firstNic(): Nic | undefined {
    return this.#first.firstNic();
  }

  /** This process goes on in another network namespace: see `FirstNetwork`. */
  moveTo(namespace: number): void {
    this.#first.moveTo(namespace);
  }

  /** The machine runs, and its guest answers. @param hidden see `MachineNetwork` */
  attach(machine: Machine, guest: Guest, hidden: string | undefined): void {
    const first = this.#use(this.#first, machine, GuestNamespace.own(guest), hidden);
    this.#running = { machine, guest, first };
  }

  /**
   * A container comes into the machine, beside others.
   * @param namespace its network namespace, a descriptor of the caller's; undefined: it has the machine's first network
   * @returns the handle of a process whose network namespace in the guest is the container's; undefined: that is the guest's own
   * @throws RunvError GUEST_…
   */
  async join(container: string, namespace?: number): Promise<number | undefined> {
    const used = this.#find(namespace);
    used.users.add(container);
    try {
      await used.guest.ready;
    } catch (error) {
      await this.leave(container).catch(() => {});
      throw error;
    }
    return used.guest.handle;
  }

  /** Gives the guest what a container's network namespace holds: see `MachineNetwork`. */
  async sync(container: string, complete: boolean): Promise<void> {
    await this.#of(container).network.sync(complete);
  }

  /** Does what `runv interface` asks for. @returns the container's interfaces then @throws RunvError NETWORK_…, GUEST_…, VM_… */
  async change(container: string, change: InterfaceChange): Promise<InterfaceInfo[]> {
    const { network, extras } = this.#of(container);
    return await changeInterfaces(network, extras, change);
  }

  /** A container has gone: a network that no other one has goes with it. @throws RunvError GUEST_…, VM_… */
  async leave(container: string): Promise<void> {
    const used = this.#of(container);
    used.users.delete(container);
    if (used.users.size > 0) return;
    for (const [key, other] of this.#others) if (other === used) this.#others.delete(key);
    try {
      await used.extras.removeAll();
      await used.network.leave();
    } finally {
      if (used !== this.#running?.first) {
        used.network.close();
        used.guest.close();
      }
    }
  }

  /** The machine has ended: lets go of the host's interfaces. */
  close(): void {
    for (const { network } of this.#others.values()) network.close();
    this.#first.close();
  }

  /** A container's network: that which it has joined, and the first one for the container with which the machine was made. */
  #of(container: string): Used {
    for (const used of this.#others.values()) if (used.users.has(container)) return used;
    const { first } = this.#machine();
    first.users.add(container);
    return first;
  }

  /** The network of a namespace. */
  #find(namespace: number | undefined): Used {
    const { machine, guest, first } = this.#machine();
    if (namespace === undefined) return first;
    const key = keyOf(fstatSync(namespace));
    if (key === keyOf(statSync("/proc/thread-self/ns/net"))) return first;
    const known = this.#others.get(key);
    if (known !== undefined) return known;
    const network = new NamespaceNetwork(this.#nics, new HostNamespace(openSync(`/proc/self/fd/${namespace}`, "r")));
    const used = this.#use(network, machine, GuestNamespace.make(guest));
    this.#others.set(key, used);
    return used;
  }

  #use(network: MachineNetwork, machine: Machine, guest: GuestNamespace, hidden?: string): Used {
    network.attach(machine, guest, hidden);
    return { network, guest, extras: new ExtraInterfaces(machine, this.#nics, guest), users: new Set() };
  }

  #machine() {
    if (this.#running !== undefined) return this.#running;
    throw new RunvError("SANDBOX_STARTING", "the virtual machine has not started yet");
  }
}

/** What tells a namespace from all others. */
function keyOf({ dev, ino }: { dev: number; ino: number }): string {
  return `${dev}:${ino}`;
}
