/** What is known of containers, on disk: `<root>/<id>/`. Files are replaced by rename, so a reader sees the old or the new. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { RunvError } from "../base/error";
import { fileProblem } from "../base/file-problem";
import type { SharedSettings } from "../guest/lower/settings";
import type { Identity } from "../linux/identity";
import type { Hooks } from "../oci/hooks";
import type { Namespace } from "../oci/namespaces";
import type { Process } from "../oci/process";
import type { Resources } from "../oci/resources";
import type { Note } from "../program/program";

/** `state.json`: written by `create`, `start`, `pause`, `resume` and `update`. */
export interface ContainerRecord {
  ociVersion: string;
  id: string;
  bundle: string;
  rootfs: string;
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
  /** The process that stands for the container on the host, once it runs. */
  shim?: Identity | undefined;
  /** The container's first process in the guest, once it is there: its handle. */
  init?: number | undefined;
  /** What the instructions after `stop` are for, from instruction `from` on: they fail when the container is started. */
  afterStop?: { from: number; notes: Note[] } | undefined;
  /** Of config.json, for `exec` and `start`. */
  process: Process;
  namespaces: readonly Namespace[];
  /** What every further process of the container shares with its first. */
  settings: SharedSettings;
  hooks: Hooks;
  /** Its limits now. */
  resources?: Resources | undefined;
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

export function writeRecord(root: string, record: ContainerRecord): void {
  replaceFile(`${containerDirectory(root, record.id)}/state.json`, record);
}

/** What is known of a container. @throws RunvError CONTAINER_UNKNOWN */
export function readRecord(root: string, id: string): ContainerRecord {
  const record = readJson(`${containerDirectory(root, id)}/state.json`);
  if (record === undefined) throw new RunvError("CONTAINER_UNKNOWN", "container does not exist");
  return record as ContainerRecord;
}

/** The same, of a container that may be gone. */
export function tryReadRecord(root: string, id: string): ContainerRecord | undefined {
  return readJson(`${containerDirectory(root, id)}/state.json`) as ContainerRecord | undefined;
}

export function readExit(root: string, id: string): ExitRecord | undefined {
  return readJson(`${containerDirectory(root, id)}/${exitFile}`) as ExitRecord | undefined;
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

/** Forgets a container. */
export function removeContainerDirectory(root: string, id: string): void {
  rmSync(containerDirectory(root, id), { recursive: true, force: true });
}

function replaceFile(path: string, value: unknown): void {
  const next = `${path}.${process.pid}`;
  try {
    writeFileSync(next, JSON.stringify(value), { mode: 0o600 });
    renameSync(next, path);
  } catch (error) {
    rmSync(next, { force: true });
    throw unwritable(path, error);
  }
}

function unwritable(path: string, cause: unknown): RunvError {
  return new RunvError("STATE_UNWRITABLE", `write ${path}: ${fileProblem(cause)}`, { cause });
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
