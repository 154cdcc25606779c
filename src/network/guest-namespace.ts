/**
 * The network namespaces of a guest: its own, in which its interfaces appear, and those that are made for containers with a network
 * beside it. Such a one is named by the handle of a process that does nothing but hold it.
 */
import { RunvError } from "../base/error";
import type { Guest } from "../guest/guest";
import type { GuestProcess } from "../guest/process";
import { SIGKILL } from "../linux/signals";
import { GuestLinks } from "./guest-links";
import { configureNetwork, holdNetwork, moveToProcess, type Step } from "./guest-programs";

export class GuestNamespace {
  readonly guest: Guest;
  /** Fulfilled when it is there. Rejects with GUEST_…. */
  readonly ready: Promise<void>;
  readonly #holder: GuestProcess | undefined;
  readonly #links: GuestLinks;

  private constructor(guest: Guest, holder: GuestProcess | undefined) {
    this.guest = guest;
    this.#holder = holder;
    this.#links = new GuestLinks(guest, holder?.handle);
    this.ready = holder === undefined ? Promise.resolve() : held(holder);
    this.ready.catch(() => {});
  }

  /** The guest's own. */
  static own(guest: Guest): GuestNamespace {
    return new GuestNamespace(guest, undefined);
  }

  /** Has the guest make one, with its loopback interface up. */
  static make(guest: Guest): GuestNamespace {
    return new GuestNamespace(guest, guest.run(holdNetwork()));
  }

  /** The handle of a process that is in it; undefined: it is the guest's own. */
  get handle(): number | undefined {
    return this.#holder?.handle;
  }

  /** Makes changes in it. @throws RunvError GUEST_… */
  async configure(steps: readonly Step[]): Promise<void> {
    for (const program of configureNetwork(steps, this.handle)) await this.guest.call(program);
  }

  /**
   * Waits for an interface that the machine has got, which appears in the guest's own namespace, and brings it into this one.
   * @returns its number here
   * @throws RunvError NETWORK_GUEST, GUEST_…
   */
  async take(mac: string): Promise<number> {
    if (this.#holder !== undefined) {
      await this.ready;
      const index = await new GuestLinks(this.guest).find(mac);
      await this.guest.call(moveToProcess(index, this.#holder.pid!));
    }
    return await this.#links.find(mac);
  }

  /** Lets go of it: one that was made ends with the last process in it. */
  close(): void {
    this.#holder?.signal(SIGKILL);
  }
}

async function held(holder: GuestProcess): Promise<void> {
  const { at } = await holder.next();
  if (at === "stopped") return;
  throw new RunvError("GUEST_LOST", "make a network namespace in the guest: its process ended early");
}
