/** `runv checkpoint`: a running container as files. */
import { closeSync, ftruncateSync, openSync } from "node:fs";
import { RunvError } from "../base/error";
import { fileProblem } from "../base/file-problem";
import { log } from "../base/log";
import { writeAll } from "../base/output";
import { span } from "../base/trace";
import { commit, version } from "../base/version";
import { O_CLOEXEC, O_WRONLY } from "../linux/constants";
import { SystemError, syscall } from "../linux/local";
import { copyingData } from "../linux/memory-file";
import { type Bundle, loadBundle } from "../oci/bundle";
import { findNamespace } from "../oci/namespaces";
import { remove } from "./delete";
import {
  begun,
  type Description,
  Image,
  type NamedFile,
  type NewFile,
  NewImage,
  type SavedDisk,
} from "./image/checkpoint-image";
import { digestOf, sizeOf, turn } from "./image/digest";
import { disksOf, sharedBy, type WantedDisk } from "./making/disks";
import { othersIn } from "./making/pod";
import type { ContainerOptions } from "./options";
import { withLock } from "./record/lock";
import { connected, openContainer } from "./record/open";
import type { ContainerRecord } from "./record/store";

export interface CheckpointOptions extends ContainerOptions {
  /** The directory of the image. */
  image: string;
  /** The container goes on afterwards; it is removed otherwise. */
  leaveRunning: boolean;
}

/** linux/fs.h: the file has another one's blocks until either is written to. */
const FICLONE = 0x4004_9409;

/** `runv checkpoint`. @returns the exit code */
export async function checkpointContainer(options: CheckpointOptions): Promise<number> {
  const { global, id, leaveRunning } = options;
  await withLock(global.root, id, async () => {
    const { record, status } = openContainer(global.root, id);
    if (status !== "running" && status !== "paused") {
      throw new RunvError("CONTAINER_STATE", `Container cannot be checkpointed in ${status} state`);
    }
    await save(options, record, status === "paused");
  });
  if (!leaveRunning) await remove(global.root, id, true);
  return 0;
}

/** `runv checkpoint --show`: says what an image is. @returns the exit code */
export async function showCheckpoint(directory: string): Promise<number> {
  const { description } = new Image(directory);
  const { version, method, created, runv, container, machine, kernel, initrd, disks, files } = description;
  const { id, bundle, rootfs, process } = container;
  const shown = {
    ...{ version, method, created, runv, container: { id, bundle, rootfs, args: process.args } },
    ...{ machine: machine.notes, made: machine.made, kernel, initrd, disks, files },
  };
  writeAll(1, `${JSON.stringify(shown, undefined, 2)}\n`);
  return 0;
}

/** Makes the image, and ends the machine unless it is to go on: where this fails, it goes on and there is no new image. */
async function save(options: CheckpointOptions, record: ContainerRecord, paused: boolean): Promise<void> {
  const { global, id, leaveRunning } = options;
  const bundle = checked(global.root, record);
  const disks = disksOf(bundle, record.rootDisk);
  const image = new NewImage(options.image);
  try {
    const memory = image.add("memory");
    const devices = image.add("devices");
    const writing = openSync(devices.path, O_WRONLY | O_CLOEXEC);
    try {
      await connected(global.root, record, async (client) => {
        const machine = await span("save the machine", () =>
          client.save({
            container: id,
            paused,
            shared: sharedBy(bundle, disks),
            memory: memory.fd,
            devices: writing,
          }),
        );
        const copies: Copy[] = [];
        for (const disk of leaveRunning ? disks : []) copies.push(await copyOf(disk, image));
        if (leaveRunning) {
          const { ms } = await client.goOn();
          log.debug(`${id} stood still for ${ms.toFixed(1)} ms`);
        }
        const { kernel, initrd } = machine.made;
        const description: Description = {
          ...begun(),
          runv: `${version} (${commit})`,
          container: record,
          config: bundle.config,
          machine,
          kernel: await named(kernel),
          initrd: await named(initrd),
          disks: await Promise.all(disks.map((disk, index) => savedDisk(disk, copies[index]))),
          memory: memory.name,
          devices: devices.name,
          files: await span("write the image", () => image.files()),
        };
        image.commit(description);
        // From here on the image is what there is of the container.
        if (!leaveRunning) await client.discard();
      });
    } finally {
      closeSync(writing);
    }
  } catch (error) {
    image.discard();
    throw error;
  }
}

/** The container's bundle, if it can be saved. @throws RunvError CHECKPOINT_REFUSED, … */
function checked(root: string, record: ContainerRecord): Bundle {
  const bundle = loadBundle(record.bundle);
  const [other] = othersIn(root, record);
  if (other !== undefined) throw refused(`${other.id} runs in the same virtual machine`);
  if (findNamespace(record.namespaces, "network") === undefined) throw refused("it is in the host's network");
  return bundle;
}

function refused(why: string): RunvError {
  return new RunvError("CHECKPOINT_REFUSED", `cannot checkpoint: ${why}`);
}

/** A copy of a disk. */
type Copy = Pick<NewFile, "name" | "fd">;

/** Copies a disk that will be written to. @returns the copy @throws RunvError CHECKPOINT_WRITE */
async function copyOf({ path, device }: WantedDisk, image: NewImage): Promise<Copy> {
  const copy = image.add("disk");
  const from = openSync(path, "r");
  try {
    if (device || !isCloned(from, copy.fd)) {
      ftruncateSync(copy.fd, sizeOf(from));
      for (const _ of copyingData(from, copy.fd)) await turn();
    }
    return copy;
  } catch (cause) {
    throw new RunvError("CHECKPOINT_WRITE", `copy ${path}: ${fileProblem(cause)}`, { cause });
  } finally {
    closeSync(from);
  }
}

function isCloned(from: number, to: number): boolean {
  try {
    syscall("ioctl", to, FICLONE, from);
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

async function savedDisk({ number: _, ...disk }: WantedDisk, copy: Copy | undefined): Promise<SavedDisk> {
  if (copy !== undefined) return { ...disk, size: sizeOf(copy.fd), sha256: await digestOf(copy.fd), copy: copy.name };
  return await withFile(disk.path, async (fd) => ({ ...disk, size: sizeOf(fd), sha256: await digestOf(fd) }));
}

async function named(path: string): Promise<NamedFile> {
  return { path, sha256: await withFile(path, digestOf) };
}

async function withFile<T>(path: string, action: (fd: number) => Promise<T>): Promise<T> {
  const fd = openSync(path, "r");
  try {
    return await action(fd);
  } finally {
    closeSync(fd);
  }
}
