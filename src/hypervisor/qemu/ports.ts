/** Where devices are put that come while a machine runs: a PC's bus takes any number, PCI Express one for each port that was there from the beginning. */
import { RunvError } from "../../base/error";

const nameOf = (port: number): string => `port${port}`;

/** -device, once for each port. */
export function portOptions(count: number): string[] {
  return Array.from({ length: count }, (_, port) => [
    "-device",
    `pcie-root-port,id=${nameOf(port)},chassis=${port + 1}`,
  ]).flat();
}

/** What `device_add` is told of where a device is to be. */
export interface DevicePlace {
  /** Its place on that, in hexadecimal; the first that is free, if undefined. */
  addr?: string;
  bus?: string;
}

/** Where the interface is that a machine of ports begins with, which can be taken away as any other. It is the first to take one. */
export const firstPlace: DevicePlace = { bus: nameOf(0) };

/** The ports of a machine. */
export class Ports {
  readonly #taken: (string | undefined)[];

  /** @param count 0: devices need none */
  constructor(count: number) {
    this.#taken = new Array(count).fill(undefined);
  }

  /**
   * Takes one for a device.
   * @param device its id
   * @throws RunvError VM_FULL
   */
  take(device: string): DevicePlace {
    if (this.#taken.length === 0) return {};
    const port = this.#taken.indexOf(undefined);
    if (port < 0) {
      const message = `add a device to the virtual machine: its ${this.#taken.length} ports for devices are taken`;
      throw new RunvError("VM_FULL", message, { hint: "what is there when the container is created needs no port" });
    }
    this.#taken[port] = device;
    return { bus: nameOf(port) };
  }

  /** Gives that of a device back. */
  release(device: string): void {
    const port = this.#taken.indexOf(device);
    if (port >= 0) this.#taken[port] = undefined;
  }
}
