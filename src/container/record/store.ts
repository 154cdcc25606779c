/** What is known of containers, on disk: `<root>/<id>/`. Files are replaced by rename, so a reader sees the old or the new. */
import {
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { messageOf, RunvError } from "../../base/error";
import { fileProblem } from "../../base/file-problem";
import { isObject } from "../../base/is-object";
import { log } from "../../base/log";
import type { SharedSettings } from "../../guest/lower/settings";
import type { Identity } from "../../linux/identity";
import type { Hooks } from "../../oci/hooks";
import type { Namespace } from "../../oci/namespaces";
import type { Process } from "../../oci/process";
import type { Resources } from "../../oci/resources";
import type { Note } from "../../program/program";
import type { ProcessTask } from "../../sandbox/template/template-process";
import type { IdMap } from "../../share/id-map";
import type { Layers } from "../../share/layers";
import type { RootDisk } from "../options";
import { isRecord } from "./record-shape";

/** `state.json`: written by `create`, `start`, `pause`, `resume` and `update`. */
export interface ContainerRecord {
  ociVersion: string;
  id: string;
  bundle: string;
  rootfs: string;
  /** What its caller gave as its root file system in the place of that, a disk. */
  rootDisk?: RootDisk | undefined;
  /** /etc/passwd of a root file system that is a disk, as it was when the container was created: the host cannot look into that. */
  passwd?: string | undefined;
  /** RFC 3339. */
  created: string;
  owner: string;
  annotations: Record<string, string>;
  /** How far the commands have brought it. */
  phase: "creating" | "created" | "running";
  paused: boolean;
  /** While it is being created: the process that does so. */
  creator: Identity;
  /** Whether that is a daemon, which has other containers too. */
  byDaemon: boolean;
  /** The sandbox in which it runs. */
  sandbox: string;
  /** The directories of its cgroup on the host. */
  cgroup: string[];
  /** The process that owns the sandbox, once it runs. */
  monitor?: Identity | undefined;
  /** The process in which the guest runs, once it does, if it is one of this host's. */
  machine?: Identity | undefined;
  /** What it is made on: this host itself; undefined: a machine. */
  driver?: "host" | undefined;
  /** Of a container on this host: its processes have their callers' session keyrings. */
  sharesKeyring?: boolean;
  /** The process that stands for the container on the host, once it runs; on this host itself its first process. */
  shim?: Identity | undefined;
  /** The container's first process in the guest, once it is there: its handle. */
  init?: number | undefined;
  /** What the instructions after `stop` are for, from instruction `from` on: they fail when the container is started. */
  afterStop?: { from: number; notes: Note[] } | undefined;
  /** The process that its template lacks, which `start` is to start. */
  templateProcess?: ProcessTask | undefined;
  /** Of config.json, for `exec` and `start`. */
  process: Process;
  namespaces: readonly Namespace[];
  /** The owners of the user namespace that was made for it, which others may join. */
  owners?: IdMap | undefined;
  /** What every further process of the container shares with its first. */
  settings: SharedSettings;
  hooks: Hooks;
  /** It is a copy of another container that ran. */
  branch?: BranchRecord | undefined;
  /** Its limits now. */
  resources?: Resources | undefined;
}

/** What there is of a branch on the host beside what every container has. */
export interface BranchRecord {
  /** The id of the container that it is a copy of. */
  of: string;
  /** What its trees are called on the share: the id of the first of those. */
  share: string;
  /** Where the copy of the root file system is; undefined: the caller gave one. */
  directory?: string | undefined;
  /** What it has there together with other branches, which goes with the last of them. */
  snapshots?: readonly string[];
  /** Of what its root file system is an overlay, where it is one. */
  layers?: Layers | undefined;
  /** It was restored: its monitor is to know when it goes on. */
  restored?: boolean | undefined;
}

/** Its name in the container's directory. */
export const exitFile = "exit.json";

/** `exit.json`: written by the shim when the container's first process is dead. */
export interface ExitRecord {
  code: number;
  /** RFC 3339. */
  at: string;
  /** How many of the container's processes the end of memory had cost by then. */
  oomKills?: number;
}

/** The directory of a container. */
export function containerDirectory(root: string, id: string): string {
  return `${root}/${id}`;
}

/** Takes an id. @throws RunvError CONTAINER_EXISTS */
export function makeContainerDirectory(root: string, id: string): void {
  try {
    mkdirSync(root, { recursive: true, mode: 0o711 });
  } catch (error) {
    throw unwritable(root, error);
  }
  try {
    mkdirSync(containerDirectory(root, id), { mode: 0o711 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw unwritable(containerDirectory(root, id), error);
    throw new RunvError("CONTAINER_EXISTS", "container with given ID already exists", {
      hint: `'runv delete ${id}' removes it once it is stopped`,
    });
  }
}

/** The record is there twice: where one file is damaged, the other tells what runs of the container. The copy comes first: if it fails, nothing has changed. */
const recordFiles = ["state.json", "state.json.copy"] as const;

/** Writes what is known of a container. @throws RunvError STATE_UNWRITABLE; what was known before is there then */
export function writeRecord(root: string, record: ContainerRecord): void {
  const prepared = prepareRecord(root, record);
  try {
    prepared.commit();
  } catch (error) {
    prepared.discard();
    throw error;
  }
}

/** A record that is on the disk already, and not yet in its place. */
export interface PreparedRecord {
  /** Puts it in its place, which takes no room. @throws RunvError STATE_UNWRITABLE */
  commit(): void;
  /** Forgets it. */
  discard(): void;
}

/** Writes a record aside: what may fail for want of room or rights fails here. @throws RunvError STATE_UNWRITABLE; nothing is left then */
export function prepareRecord(root: string, record: ContainerRecord): PreparedRecord {
  const files = recordFiles.toReversed().map((name) => {
    const path = `${containerDirectory(root, record.id)}/${name}`;
    return { path, next: `${path}.${process.pid}` };
  });
  const discard = () => {
    for (const { next } of files) quietly(() => rmSync(next, { force: true }));
  };
  const each = (action: (file: { path: string; next: string }) => void) => {
    for (const file of files) {
      try {
        action(file);
      } catch (error) {
        throw unwritable(file.path, error);
      }
    }
  };
  const text = JSON.stringify(record);
  try {
    each(({ next }) => writeFileSync(next, text, { mode: 0o600 }));
  } catch (error) {
    discard();
    throw error;
  }
  const commit = () => {
    try {
      each(({ path, next }) => renameSync(next, path));
    } catch (error) {
      quietly(() => repairCopy(root, record.id));
      throw error;
    }
  };
  return { commit, discard };
}

/** Has the copy say what the record itself says. */
function repairCopy(root: string, id: string): void {
  const [path, copy] = recordFiles.map((name) => `${containerDirectory(root, id)}/${name}`) as [string, string];
  const next = `${copy}.${process.pid}`;
  copyFileSync(path, next);
  renameSync(next, copy);
}

/**
 * Changes a container, and what is known of it: both or neither, also where nothing can be written.
 * @param change what is done to the container itself
 * @param undo takes that back
 * @throws RunvError STATE_UNWRITABLE, and what `change` throws
 */
export async function changeRecord<T>(
  root: string,
  record: ContainerRecord,
  change: () => Promise<T>,
  undo: (done: T) => unknown,
): Promise<T> {
  const prepared = prepareRecord(root, record);
  try {
    const done = await change();
    try {
      prepared.commit();
    } catch (error) {
      await undo(done);
      throw error;
    }
    return done;
  } catch (error) {
    prepared.discard();
    throw error;
  }
}

/** What is known of a container. @throws RunvError CONTAINER_UNKNOWN, STATE_DAMAGED */
export function readRecord(root: string, id: string): ContainerRecord {
  const record = findRecord(root, id);
  if (record === undefined) throw new RunvError("CONTAINER_UNKNOWN", "container does not exist");
  return record;
}

/** The same, of a container that may be gone, or of which nothing can be read. */
export function tryReadRecord(root: string, id: string): ContainerRecord | undefined {
  try {
    return findRecord(root, id);
  } catch (error) {
    log.warn(messageOf(error));
    return undefined;
  }
}

function findRecord(root: string, id: string): ContainerRecord | undefined {
  const directory = containerDirectory(root, id);
  const problems: string[] = [];
  for (const file of recordFiles) {
    const found = readJson(`${directory}/${file}`);
    if (typeof found === "object" && isRecord(found.value, id)) {
      if (problems.length > 0) log.warn(`${problems[0]}: its copy is used`);
      return found.value;
    }
    if (found !== "missing") problems.push(`${directory}/${file} is damaged`);
  }
  if (problems.length === 0) return undefined;
  throw new RunvError("STATE_DAMAGED", problems.join(", "), {
    hint: `nothing tells what runs of ${id}: end that by hand, and remove ${directory}`,
  });
}

/** How a container's first process ended; undefined while it runs, or where that is not recorded whole. */
export function readExit(root: string, id: string): ExitRecord | undefined {
  return readExitFile(`${containerDirectory(root, id)}/${exitFile}`);
}

/** The same, of any process whose end is recorded in this file. */
export function readExitFile(path: string): ExitRecord | undefined {
  const found = readJson(path);
  if (typeof found !== "object" || !isObject(found.value)) return undefined;
  const { code, at } = found.value;
  return typeof code === "number" && typeof at === "string" ? (found.value as unknown as ExitRecord) : undefined;
}

/** The ids of all containers, sorted. */
export function listIds(root: string): string[] {
  try {
    return readdirSync(root)
      .filter((name) => !name.startsWith("."))
      .sort();
  } catch {
    return [];
  }
}

/** Forgets a container. @throws RunvError STATE_UNWRITABLE */
export function removeContainerDirectory(root: string, id: string): void {
  const directory = containerDirectory(root, id);
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (cause) {
    throw new RunvError("STATE_UNWRITABLE", `remove ${directory}: ${fileProblem(cause)}`, { cause });
  }
}

function quietly(action: () => void): void {
  try {
    action();
  } catch {
    // Where nothing can be removed, it is what could not be written.
  }
}

function unwritable(path: string, cause: unknown): RunvError {
  return new RunvError("STATE_UNWRITABLE", `write ${path}: ${fileProblem(cause)}`, { cause });
}

function readJson(path: string): { value: unknown } | "missing" | "unreadable" {
  let file: number | undefined;
  try {
    // Nobody waits for the other end of what has become a FIFO: nothing is to be read there.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return { value: JSON.parse(readFileSync(file, "utf8")) };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "missing" : "unreadable";
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
