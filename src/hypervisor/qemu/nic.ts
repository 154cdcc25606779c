/** Network interfaces that come and go while QEMU runs. */

import { closeSync, openSync } from "node:fs";
import { RunvError } from "../../base/error";
import { fileProblem } from "../../base/file-problem";
import type { Nic } from "../driver";
import { nicDevice, tapOf } from "./options";
import type { DevicePlace } from "./ports";
import { type Qmp, QmpError } from "./qmp";

/** How long a guest may take to let go of a device. One that does not, a paused one for instance, keeps a dead device. */
const releaseTimeoutMs = 3000;

/** Who waits for the end of a device. */
export class DeviceEvents {
  readonly #waiting = new Map<string, () => void>();

  /** Waits until the guest has let go of the device. */
  async released(device: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, releaseTimeoutMs);
    this.#waiting.set(device, resolve);
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(device);
  }

  deleted(device: string): void {
    this.#waiting.get(device)?.();
  }
}

/** Adds an interface; nothing of it is left when that fails. @param place what its device is told of where it is to be */
export async function addNic(qmp: Qmp, nic: Nic, place: DevicePlace): Promise<void> {
  await qmp.execute("netdev_add", { id: nic.id, ...(await backendOf(qmp, nic)) });
  try {
    await qmp.execute("device_add", { ...nicDevice(nic), ...place });
  } catch (error) {
    await qmp.execute("netdev_del", { id: nic.id });
    throw error;
  }
}

/**
 * Opens /dev/vhost-net for one interface of one machine: the kernel ties a descriptor of it to the first process that uses it.
 * @throws RunvError VM_VHOST
 */
export function openVhost(): number {
  try {
    return openSync("/dev/vhost-net", "r+");
  } catch (cause) {
    throw new RunvError("VM_VHOST", `open /dev/vhost-net: ${fileProblem(cause)}`, { cause });
  }
}

async function backendOf(qmp: Qmp, { id, backend }: Nic): Promise<Record<string, unknown>> {
  const own = tapOf(backend);
  if (own === undefined) return { type: "user" };
  await qmp.execute("getfd", { fdname: `tap-${id}` }, undefined, own.tap);
  if (own.vhost !== true) return { type: "tap", fd: `tap-${id}` };
  const vhost = openVhost();
  try {
    await qmp.execute("getfd", { fdname: `vhost-${id}` }, undefined, vhost);
  } finally {
    closeSync(vhost);
  }
  return { type: "tap", fd: `tap-${id}`, vhost: true, vhostfd: `vhost-${id}` };
}

/** Takes an interface away. Its frames stop at once, its device goes when the guest lets go of it. */
export async function removeNic(qmp: Qmp, id: string, events: DeviceEvents): Promise<void> {
  const { id: device } = nicDevice({ id, mac: "", backend: "user" });
  const released = events.released(device);
  try {
    await qmp.execute("device_del", { id: device });
    await released;
  } catch (error) {
    // It has gone already, or is on its way: an earlier request still waits for the guest.
    if (!(error instanceof QmpError)) throw error;
  }
  await qmp.execute("netdev_del", { id });
}
