/** What is known of processes, on disk: one directory for each, with a name of its own, since a process's name is any text. */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { isObject } from "../base/is-object";
import { randomHex } from "../base/random";
import { type ExitRecord, exitFile, readExitFile } from "../container/record/store";
import type { Attended } from "../container/shim/attended";
import type { Identity } from "../linux/identity";
import type { Uint64 } from "../oci/scalars";
import type { Message } from "./api/messages";

/** The name of a container's first process. */
export const initName = "init";

/** As clients see a process: what the API's message says, in a form that survives JSON. */
export interface ProcessView extends Omit<Message<"Process">, "rlimits" | "systemPid"> {
  rlimits: { type: string; soft: Uint64; hard: Uint64 }[];
}

export interface ProcessRecord {
  /** Unlike the name, of this process alone: the name of its directory. */
  key: string;
  /** The container's id. */
  id: string;
  /** The process's name in its container. */
  pid: string;
  view: ProcessView;
  stdio: Omit<Attended, "directory">;
  /** Its shim, once it runs. */
  shim?: Identity;
  /** Of a container's first process. */
  container?: { bundle: string; labels: readonly string[]; runtime: string };
}

/** Of a container's first process. */
export type InitRecord = ProcessRecord & Required<Pick<ProcessRecord, "container">>;

/** Of a process that has a shim. */
export type StartedRecord = ProcessRecord & Required<Pick<ProcessRecord, "shim">>;

const recordFile = "process.json";

export class ProcessStore {
  readonly #root: string;

  /** @param root a directory of its own, which is made */
  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true, mode: 0o700 });
  }

  /** A key for a new process: short, for a socket's path has at most 107 bytes. */
  newKey(): string {
    return randomHex(6);
  }

  directory({ key }: Pick<ProcessRecord, "key">): string {
    return `${this.#root}/${key}`;
  }

  /** Writes down what is known, by rename, so that a reader sees the old or the new. */
  write(record: ProcessRecord): void {
    const directory = this.directory(record);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(`${directory}/${recordFile}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${directory}/${recordFile}.new`, `${directory}/${recordFile}`);
  }

  /** All that are known. What a crash left half made is removed. */
  list(): ProcessRecord[] {
    return readdirSync(this.#root).flatMap((key) => {
      const record = readJson(`${this.#root}/${key}/${recordFile}`);
      if (isProcessRecord(record, key)) return record;
      this.remove({ key });
      return [];
    });
  }

  /** How a process ended; undefined while it runs, and when its shim was killed. */
  exit(record: Pick<ProcessRecord, "key">): ExitRecord | undefined {
    return readExitFile(`${this.directory(record)}/${exitFile}`);
  }

  /** Forgets a process. */
  remove(record: Pick<ProcessRecord, "key">): void {
    rmSync(this.directory(record), { recursive: true, force: true });
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

function isProcessRecord(value: unknown, key: string): value is ProcessRecord {
  if (!isObject(value) || value.key !== key) return false;
  const { id, pid, view, stdio } = value;
  return typeof id === "string" && typeof pid === "string" && isObject(view) && isObject(stdio);
}
