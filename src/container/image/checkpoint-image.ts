/**
 * A checkpoint on disk: a directory with files, and a description that names them with their sizes and checksums. The description comes by rename
 * when all that it names is on the disk: the image is whole, or there is none.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { messageOf, RunvError } from "../../base/error";
import { fileProblem } from "../../base/file-problem";
import { isObject } from "../../base/is-object";
import { sha256 } from "../../image/sha256";
import type { Config } from "../../oci/config";
import type { Saved } from "../../sandbox/messages";
import { protocolVersion } from "../../wire/frame";
import type { WantedDisk } from "../making/disks";
import { isRecord } from "../record/record-shape";
import type { ContainerRecord } from "../record/store";
import { digestOf } from "./digest";

/** The description's name, and what those of other files begin with. */
const [descriptionFile, filePrefix] = ["checkpoint.json", "runv-"];
/** That of the format: what reads another one refuses it. */
const formatVersion = 1;

/** A file of the host's that a checkpoint depends on, as it was. */
export interface NamedFile {
  path: string;
  sha256: string;
}

/** A disk of the container's, as it was. */
export interface SavedDisk extends Pick<WantedDisk, "field" | "path" | "device" | "format" | "readOnly" | "root"> {
  size: number;
  sha256: string;
  /** The file of the image that is a copy of it. */
  copy?: string;
}

/** What a checkpoint is. */
export interface Description {
  version: number;
  /** How it was made: the whole machine was saved. */
  method: "machine";
  /** RFC 3339. */
  created: string;
  runv: string;
  /** The version of the protocol that the guest's agent speaks. */
  protocol: number;
  /** The container as `state.json` had it, and its config.json. */
  container: ContainerRecord;
  config: Config;
  machine: Saved;
  kernel: NamedFile;
  initrd: NamedFile;
  disks: readonly SavedDisk[];
  /** The files with the machine's memory, and with its devices. */
  memory: string;
  devices: string;
  files: readonly ImageFile[];
}

/** A file of the image. */
export interface ImageFile {
  name: string;
  size: number;
  sha256: string;
}

/** A file of an image in the making. */
export interface NewFile {
  name: string;
  path: string;
  fd: number;
}

/** An image in the making. */
export class NewImage {
  readonly #directory: string;
  /** Directories that were not there before. */
  readonly #made: readonly string[];
  readonly #files = new Map<string, number>();

  /**
   * @param directory made if it is not there
   * @throws RunvError CHECKPOINT_WRITE
   */
  constructor(directory: string) {
    this.#directory = directory;
    this.#made = this.#write(directory, () => makeDirectories(directory));
  }

  /** Adds a file. @returns its name and path, and a descriptor for reading and writing, which is closed with the image @throws RunvError CHECKPOINT_WRITE */
  add(kind: string): NewFile {
    const name = `${filePrefix}${kind}-${crypto.randomUUID().slice(0, 8)}`;
    const path = `${this.#directory}/${name}`;
    const fd = this.#write(path, () => openSync(path, "wx+", 0o600));
    this.#files.set(name, fd);
    return { name, path, fd };
  }

  /** Has all that was written be on the disk. @returns the files @throws RunvError CHECKPOINT_WRITE */
  async files(): Promise<ImageFile[]> {
    const files: ImageFile[] = [];
    for (const [name, fd] of this.#files) {
      const path = `${this.#directory}/${name}`;
      try {
        fsyncSync(fd);
        files.push({ name, size: fstatSync(fd).size, sha256: await digestOf(fd) });
      } catch (cause) {
        throw unwritten(path, cause);
      }
    }
    return files;
  }

  /** Puts the image in the place of what was there. @throws RunvError CHECKPOINT_WRITE; what was there is there then */
  commit(description: Description): void {
    const path = `${this.#directory}/${descriptionFile}`;
    this.#write(path, () => {
      const { path: next } = this.add("description");
      writeFileSync(next, sealed(description));
      sync(next);
      sync(this.#directory);
      renameSync(next, path);
      sync(this.#directory);
    });
    this.#closeAll();
    const kept = new Set(description.files.map(({ name }) => name));
    for (const name of readdirSync(this.#directory)) {
      if (name.startsWith(filePrefix) && !kept.has(name)) rmSync(`${this.#directory}/${name}`, { force: true });
    }
  }

  /** Leaves nothing of it. */
  discard(): void {
    for (const name of this.#files.keys()) rmSync(`${this.#directory}/${name}`, { force: true });
    this.#closeAll();
    for (const directory of this.#made.toReversed()) {
      try {
        rmdirSync(directory);
      } catch {
        // Somebody has put something there.
      }
    }
  }

  #closeAll(): void {
    for (const fd of this.#files.values()) closeSync(fd);
    this.#files.clear();
  }

  #write<T>(path: string, action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw unwritten(path, cause);
    }
  }
}

function unwritten(path: string, cause: unknown): RunvError {
  if (cause instanceof RunvError) return cause;
  return new RunvError("CHECKPOINT_WRITE", `write ${path}: ${fileProblem(cause)}`, {
    cause,
    hint: "--image-path DIR names another directory",
  });
}

/** An image that is on the disk. */
export class Image {
  readonly description: Description;
  readonly #directory: string;

  /** Reads what an image says of itself. @throws RunvError CHECKPOINT_MISSING, CHECKPOINT_DAMAGED, CHECKPOINT_DIFFERS */
  constructor(directory: string) {
    this.#directory = directory;
    this.description = readDescription(`${directory}/${descriptionFile}`);
  }

  /** Opens its files, when they are what they were. @returns the descriptors by the files' names @throws RunvError CHECKPOINT_DAMAGED */
  async open(): Promise<Map<string, number>> {
    const opened = new Map<string, number>();
    try {
      for (const { name, size, sha256 } of this.description.files) {
        const path = `${this.#directory}/${name}`;
        const fd = reading(path, () => openSync(path, "r"));
        opened.set(name, fd);
        if (fstatSync(fd).size !== size || (await digestOf(fd)) !== sha256)
          throw damaged(`${path} is not what was saved`);
      }
      return opened;
    } catch (error) {
      for (const fd of opened.values()) closeSync(fd);
      throw error;
    }
  }

  /** The path of one of its files. */
  path(name: string): string {
    return `${this.#directory}/${name}`;
  }
}

/** Sees to it that there is an image whose description can be read. @returns its directory @throws RunvError CHECKPOINT_… */
export function existingImage(directory: string): string {
  readDescription(`${directory}/${descriptionFile}`);
  return directory;
}

function readDescription(path: string): Description {
  const text = reading(path, () => readFileSync(path, "utf8"));
  let sealed: unknown;
  try {
    sealed = JSON.parse(text);
  } catch {
    throw damaged(`${path} is not JSON`);
  }
  if (!isObject(sealed) || !isObject(sealed.checkpoint)) throw damaged(`${path} describes no checkpoint`);
  const { checkpoint } = sealed;
  if (checkpoint.version !== formatVersion || checkpoint.protocol !== protocolVersion) {
    throw new RunvError(
      "CHECKPOINT_DIFFERS",
      `restore: ${path} was made by runv ${String(checkpoint.runv)}, of another format`,
      {
        hint: "restore it with that",
      },
    );
  }
  if (sealed.sha256 !== sumOf(checkpoint) || !isDescription(checkpoint)) throw damaged(`${path} is not what was saved`);
  return checkpoint;
}

/** The checksum tells what was damaged; what a description leans on is looked at all the same. */
function isDescription(checkpoint: Record<string, unknown>): checkpoint is Record<string, unknown> & Description {
  const { container, machine, files, disks, memory, devices, config } = checkpoint;
  return (
    isObject(container) &&
    typeof container.id === "string" &&
    isRecord(container, container.id) &&
    isObject(machine) &&
    isObject(config) &&
    [files, disks].every(Array.isArray) &&
    [memory, devices].every((name) => typeof name === "string") &&
    (files as readonly unknown[]).every((file) => isObject(file) && /^[\w-]+$/.test(String(file.name)))
  );
}

function sealed(checkpoint: Description): string {
  const plain: unknown = JSON.parse(JSON.stringify(checkpoint));
  return `${JSON.stringify({ sha256: sumOf(plain), checkpoint: plain }, undefined, 1)}\n`;
}

function sumOf(checkpoint: unknown): string {
  return sha256(Buffer.from(JSON.stringify(checkpoint)));
}

/** What a new description begins with. */
export const begun = () => ({
  version: formatVersion,
  method: "machine" as const,
  created: new Date().toISOString(),
  protocol: protocolVersion,
});

function damaged(what: string): RunvError {
  return new RunvError("CHECKPOINT_DAMAGED", `restore: ${what}`, { hint: "take another copy of the image" });
}

function reading<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new RunvError("CHECKPOINT_MISSING", `restore: ${path}: ${fileProblem(cause)}`, {
      cause,
      hint: "--image-path DIR names the directory that checkpoint wrote",
    });
  }
}

/** As mkdir -p. @returns those that were not there */
function makeDirectories(directory: string): string[] {
  if (existsSync(directory)) return [];
  const made = makeDirectories(dirname(directory));
  // What is in a machine's memory is for nobody else.
  mkdirSync(directory, { mode: 0o700 });
  return [...made, directory];
}

/** fsync(2) */
function sync(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } catch (error) {
    throw new Error(messageOf(error), { cause: error });
  } finally {
    closeSync(fd);
  }
}
