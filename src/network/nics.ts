import type { Driver, Nic } from "../hypervisor/driver";
import { formatMac } from "../linux/netlink/scalars";
import { driversPort, makeTap, type Port } from "./tap";

/** A network interface of a machine, with the host's end of it. */
export interface NicWithPort {
  nic: Nic;
  port: Port;
}

/** What the networks of one machine share. */
export class MachineNics {
  /** What the machine's driver makes interfaces of. */
  readonly madeOf: Driver["nics"];
  #next = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(madeOf: Driver["nics"]) {
    this.madeOf = madeOf;
  }

  /** A number that no other interface of the machine has. */
  number(): number {
    return this.#next++;
  }

  /** Makes an interface for the machine, whose port is in the network namespace that this thread is in. @throws RunvError NETWORK_TAP */
  make(): NicWithPort {
    const number = this.number();
    const name = `runv${number}`;
    const port = this.madeOf === "link" ? driversPort(name) : makeTap(name);
    return { nic: { id: `nic${number}`, mac: provisionalMac(number), backend: port.backend }, port };
  }

  /**
   * Does one thing after the other. Every new device has for a moment a name of the guest's kernel's, in the guest's own network namespace, which
   * an interface there may be about to get.
   */
  inTurn<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(action);
    this.#turn = done.catch(() => {});
    return done;
  }
}

/** The address of a new interface, "runv" and a number, by which it is found in the guest; it gets its own before it is used. */
export function provisionalMac(number: number): string {
  return formatMac(Uint8Array.of(0x02, ...Buffer.from("runv"), number & 0xff));
}
