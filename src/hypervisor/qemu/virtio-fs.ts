/**
 * What a machine takes whose files come over virtiofs: memory that can be given to virtiofsd, so none that is mapped privately, and a device.
 * QEMU neither saves nor restores that device, so a clone gets it as soon as it runs.
 */

import { closeSync, openSync } from "node:fs";
import type { MachineSpec } from "../driver";
import { type ConnectedVirtiofsd, connectVirtiofsd, findVirtiofsd, type VirtioFsCache } from "../virtiofsd";
import { copyMemory } from "./copied-memory";
import { virtioFsDevice } from "./options";
import type { DevicePlace } from "./ports";
import type { Qmp } from "./qmp";

export interface VirtioFsOptions {
  /** The path of virtiofsd, if it is not to be looked for. */
  virtiofsd: string | undefined;
  cache: VirtioFsCache;
}

/** The part of a machine's share that is there before QEMU is. */
export interface VirtioFs {
  server: ConnectedVirtiofsd | undefined;
  /** A descriptor of a clone's memory: a copy, for what it writes must reach virtiofsd and no other clone. */
  memory: number | undefined;
}

/**
 * Starts the share's server, unless the machine is to be saved, and copies a clone's memory.
 * @throws RunvError VM_VIRTIOFSD_MISSING, VM_VIRTIOFSD, VM_MEMORY
 */
export function prepareVirtioFs(
  { share, memory, directory, memoryMiB }: MachineSpec,
  { virtiofsd, cache }: VirtioFsOptions,
): VirtioFs {
  const program = findVirtiofsd(virtiofsd);
  const serves = share !== undefined && memory?.write !== true;
  const server = serves ? connectVirtiofsd(program, share.path, cache, directory) : undefined;
  if (memory?.write !== false) return { server, memory: undefined };
  try {
    return { server, memory: withFile(memory.path, (from) => copyMemory(from, memoryMiB)) };
  } catch (error) {
    if (server !== undefined) closeSync(server.fd);
    server?.kill();
    throw error;
  }
}

function withFile<T>(path: string, action: (fd: number) => T): T {
  const fd = openSync(path, "r");
  try {
    return action(fd);
  } finally {
    closeSync(fd);
  }
}

/** Adds the device to a running machine. @param fd a connection to virtiofsd */
export async function plugVirtioFs(qmp: Qmp, tag: string, fd: number, place: DevicePlace): Promise<void> {
  const device = virtioFsDevice(tag);
  await qmp.execute("getfd", { fdname: "share" }, undefined, fd);
  const address = { type: "fd", data: { str: "share" } };
  await qmp.execute("chardev-add", {
    id: device.chardev,
    backend: { type: "socket", data: { addr: address, server: false } },
  });
  await qmp.execute("device_add", { ...device, ...place });
}
