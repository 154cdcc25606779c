/** The disks of a machine, and whose they are. */
import { closeSync } from "node:fs";
import { RunvError } from "../base/error";
import { claimDisk, diskPath, findDisk, type GuestDisk, listDisks, mountDisk, unmountDisk } from "../guest/disks";
import type { Guest } from "../guest/guest";
import { loadModules, syncAll } from "../guest/prepare";
import { unsupported } from "../hypervisor/capabilities";
import type { Machine } from "../hypervisor/driver";
import { readImageManifest } from "../image/read-manifest";
import { takeDescriptor } from "../linux/take-descriptor";
import type { Program } from "../program/program";
import type { DiskRequest } from "./messages";
import { modulesFor } from "./modules";

/** How long a guest may take to see a new disk, and how often it is asked. */
const seenMs = 30_000;
const pauseMs = 30;
/** How often it is looked whether a disk is let go of that was unmounted: its container's last process may take a moment to die. */
const tries = 50;

const idPrefix = "runv";

/** The number of a disk, by its id; 0 if it is none of ours. */
function numberOf(id: string): number {
  return Number(new RegExp(`^${idPrefix}(\\d{1,6})$`).exec(id)?.[1] ?? 0);
}

/** A root file system on a disk. */
interface RootOnDisk {
  disk: GuestDisk;
  /** The id that its container had when it was mounted. */
  place: string;
}

/** The disks of a container. */
export interface ContainerDisks {
  /** In the order in which they came. */
  ids: readonly string[];
  root?: RootOnDisk;
}

export class Disks {
  readonly #machine: Machine;
  readonly #guest: Guest;
  readonly #initrd: string;
  /** Those that are root file systems, by their containers. */
  readonly #roots = new Map<string, RootOnDisk>();
  /** The disks of each container. */
  readonly #owned = new Map<string, string[]>();
  #last = 0;

  /** @param initrd the machine's, which has the modules that disks take */
  constructor(machine: Machine, guest: Guest, initrd: string) {
    this.#machine = machine;
    this.#guest = guest;
    this.#initrd = initrd;
  }

  /**
   * Adds a disk, and mounts it if it is a root file system.
   * @returns the guest's device
   * @throws RunvError UNSUPPORTED, VM_QMP_…, VM_DISK, GUEST_CALL_FAILED
   */
  async add({ container, pid, fd, device, format, readOnly, root }: DiskRequest): Promise<GuestDisk> {
    if (!this.#machine.capabilities.hotplugDisk) {
      throw unsupported(this.#machine.driver, "hotplugDisk");
    }
    // ext4: a container that has the device may mount it, and cannot load anything.
    const modules = modulesFor(readImageManifest(this.#initrd), [
      "virtio_blk",
      "ext4",
      ...(root === undefined ? [] : [root.type]),
    ]);
    if (modules.length > 0) await this.#guest.call(loadModules(modules));
    const id = `${idPrefix}${++this.#last}`;
    const own = takeDescriptor(pid, fd);
    try {
      await this.#machine.addDisk({ id, fd: own, device, format, readOnly });
    } finally {
      closeSync(own);
    }
    this.#owned.set(container, [...(this.#owned.get(container) ?? []), id]);
    const disk = await this.#find(id);
    if (root !== undefined) {
      await this.#guest.call(mountDisk(container, disk, root));
      this.#roots.set(container, { disk, place: container });
    }
    return disk;
  }

  /** Those of a container. */
  of(container: string): ContainerDisks {
    const root = this.#roots.get(container);
    return { ids: this.#owned.get(container) ?? [], ...(root && { root }) };
  }

  /** A container has come with these. */
  adopt(container: string, { ids, root }: ContainerDisks): void {
    if (ids.length > 0) this.#owned.set(container, [...ids]);
    if (root !== undefined) this.#roots.set(container, root);
    for (const id of ids) this.#last = Math.max(this.#last, numberOf(id));
  }

  /** Takes the disks of a container away, also if the guest does not unmount them: the host is to have them back. @throws what failed first */
  async remove(container: string): Promise<void> {
    const disks = this.#owned.get(container);
    if (disks === undefined) return;
    this.#owned.delete(container);
    const failures: unknown[] = [];
    const failed = (error: unknown) => failures.push(error);
    const root = this.#roots.get(container);
    await this.#guest.call(unmountDisk(root?.place ?? container)).catch(failed);
    this.#roots.delete(container);
    if (root !== undefined) await this.#letGo(root.disk).catch(failed);
    for (const id of disks) await this.#machine.removeDisk(id).catch(failed);
    if (failures.length > 0) throw failures[0];
  }

  /** Has the guest leave the file systems as if they had been unmounted, before it is ended. */
  writeBack(): Program {
    return syncAll([...this.#roots.values()].map(({ place }) => diskPath(place)));
  }

  /** Waits until nobody has the file system: then it is unmounted, and whole. */
  async #letGo(disk: GuestDisk): Promise<void> {
    for (let tried = 1; ; tried++) {
      try {
        await this.#guest.call(claimDisk(disk));
        return;
      } catch (error) {
        if (tried === tries) throw error;
        await Bun.sleep(pauseMs);
      }
    }
  }

  async #find(id: string): Promise<GuestDisk> {
    const latest = performance.now() + seenMs;
    for (;;) {
      const disk = findDisk(await this.#guest.call(listDisks()), id);
      if (disk !== undefined) return disk;
      if (performance.now() > latest) {
        throw new RunvError("VM_DISK", `the guest has not seen its new disk within ${seenMs / 1000} s`);
      }
      await Bun.sleep(pauseMs);
    }
  }
}
