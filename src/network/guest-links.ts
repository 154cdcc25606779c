import { RunvError } from "../base/error";
import type { Guest } from "../guest/guest";
import { decodeLink, type Link } from "../linux/netlink/link";
import { decodeMessages } from "../linux/netlink/message";
import { SIGKILL } from "../linux/signals";
import { listLinks, watchLinks } from "./guest-programs";

/** How long a new device may take until the guest has an interface for it. */
const appearTimeoutMs = 20_000;

/** The interfaces of a guest's network namespace, as it tells of them. */
export class GuestLinks {
  readonly #guest: Guest;
  readonly #namespace: number | undefined;

  /** @param namespace the handle of a process that is in it; undefined: the guest's own */
  constructor(guest: Guest, namespace?: number) {
    this.#guest = guest;
    this.#namespace = namespace;
  }

  /** The name of the guest's own interface with this address, which is what a file of /sys is called. @throws RunvError GUEST_MISBEHAVES */
  async nameOf(mac: string): Promise<string> {
    const link = byMac(await this.#guest.call(listLinks()), mac);
    if (link !== undefined && /^[\w.-]{1,15}$/.test(link.name) && !/^\.+$/.test(link.name)) return link.name;
    throw new RunvError("GUEST_MISBEHAVES", "the guest does not know its network interface");
  }

  /**
   * The number of the interface with this address; waits for one that was added just now.
   * @throws RunvError NETWORK_GUEST when it does not come
   */
  async find(mac: string): Promise<number> {
    const process = this.#guest.run(watchLinks(this.#namespace));
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      process.signal(SIGKILL);
    }, appearTimeoutMs);
    try {
      for (;;) {
        const { at, output } = await process.next();
        if (at !== "stopped" || late) throw missing(mac);
        const link = byMac(output, mac);
        if (link !== undefined) return link.index;
        process.go();
      }
    } finally {
      clearTimeout(timer);
      process.signal(SIGKILL);
    }
  }
}

function byMac(answer: Uint8Array, mac: string): Link | undefined {
  return decodeMessages(answer)
    .map(decodeLink)
    .find((link) => link?.mac === mac);
}

function missing(mac: string): RunvError {
  return new RunvError("NETWORK_GUEST", `the guest has no interface for the network device ${mac}`, {
    hint: "its kernel needs virtio_net, and for interfaces that come later PCI hot-plug: runv console ID may say more",
  });
}
