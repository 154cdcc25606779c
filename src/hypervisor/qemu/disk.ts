/** Disks that come and go while QEMU runs. QEMU gets descriptors of them: there is none in its jail. */

import type { Disk } from "../driver";
import type { DeviceEvents } from "./nic";
import type { DevicePlace } from "./ports";
import { type Qmp, QmpError } from "./qmp";

export const deviceOf = (id: string): string => `disk-${id}`;

/** Adds a disk; nothing of it is left when that fails. @param place what its device is told of where it is to be */
export async function addDisk(qmp: Qmp, { id, fd, device, format, readOnly }: Disk, place: DevicePlace): Promise<void> {
  // A set of its own (add-fd): QEMU opens /dev/fdset/N as often as it needs to.
  const added = await qmp.execute<{ "fdset-id": number }>("add-fd", {}, undefined, fd);
  const set = added["fdset-id"];
  const node = `node-${id}`;
  try {
    await qmp.execute("blockdev-add", {
      "node-name": node,
      driver: format,
      "read-only": readOnly,
      file: { driver: device ? "host_device" : "file", filename: `/dev/fdset/${set}` },
    });
    try {
      const disk = { driver: "virtio-blk-pci", id: deviceOf(id), drive: node, serial: id };
      await qmp.execute("device_add", { ...disk, ...place });
    } catch (error) {
      await qmp.execute("blockdev-del", { "node-name": node });
      throw error;
    }
  } finally {
    // What QEMU has opened stays open.
    await qmp.execute("remove-fd", { "fdset-id": set }).catch(() => {});
  }
}

/** Takes a disk away: its device goes when the guest lets go of it, and with it what it was made of. */
export async function removeDisk(qmp: Qmp, id: string, events: DeviceEvents): Promise<void> {
  const released = events.released(deviceOf(id));
  try {
    await qmp.execute("device_del", { id: deviceOf(id) });
    await released;
    await qmp.execute("blockdev-del", { "node-name": `node-${id}` });
  } catch (error) {
    // It has gone already, or is on its way: the guest still has it.
    if (!(error instanceof QmpError)) throw error;
  }
}
