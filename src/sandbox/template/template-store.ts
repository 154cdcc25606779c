/**
 * Saved machines, of which later ones are clones: `<store>/<key>/` with the machine's memory, the state of its devices, its boot's
 * console log and a description. A template appears by rename, whole; it is good as long as its files and those that it was made
 * from are as they were, and for this boot of the host.
 */

import { closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { sha256 } from "../../base/random";
import { tryLock, waitForLock } from "../../linux/file-lock";
import {
  type Description,
  describe,
  filesIn,
  readDescription,
  type Subject,
  statusOf,
  type TemplateFiles,
  type TemplateStatus,
} from "./template-description";
import { forgetProblem } from "./template-problem";
import { processStatus } from "./template-process";

/** Which machine a template is of. */
export interface Shape extends Pick<Description, "key" | "subject" | "sources"> {}

/** A template that is good to be cloned. */
export interface Template extends TemplateFiles {
  /** What its maker wanted clones to know. */
  notes: unknown;
}

/** A template, as `runv template ls` shows it. */
export interface TemplateInfo {
  key: string;
  status: TemplateStatus;
  /** On disk. */
  bytes: number;
  made: Date;
  /** Undefined when its description cannot be read. */
  subject: Subject | undefined;
  /** The process from which clones are forked: see `processStatus`. */
  process: string;
}

/** A template that is being removed is called so, and by its key. */
const oldPrefix = ".old-";

export class TemplateStore {
  readonly #budget: number;

  /** @param budgetMiB how much all templates may take on disk; the oldest go first */
  constructor(
    readonly directory: string,
    budgetMiB: number,
  ) {
    this.#budget = budgetMiB * 2 ** 20;
  }

  /** The template of this key; undefined when there is none, or it was stale or damaged and is gone now. */
  find(key: string): Template | undefined {
    const files = filesIn(`${this.directory}/${key}`);
    if (!existsSync(files.directory)) return undefined;
    const description = readDescription(files.directory);
    if (description?.key === key && statusOf(files, description) === "good") {
      return { ...files, notes: description.notes };
    }
    this.drop(key);
    return undefined;
  }

  /**
   * Makes a template, unless somebody else is making one just now.
   * @param build writes the files, and returns the notes
   * @returns the template; undefined when it is somebody else's turn
   * @throws what `build` throws; nothing is left then
   */
  async make(shape: Shape, build: (files: TemplateFiles) => Promise<unknown>): Promise<Template | undefined> {
    return await this.#locked(tryLock, () => this.#makeAlone(shape, build));
  }

  /**
   * The same; but waits, blocking this thread, while somebody else is making one.
   * @returns the template, and whether it had to be made
   */
  async makeInTurn(shape: Shape, build: (files: TemplateFiles) => Promise<unknown>) {
    return (await this.#locked(waitForLock, async () => {
      const found = this.find(shape.key);
      return { template: found ?? (await this.#makeAlone(shape, build)), made: found === undefined };
    }))!;
  }

  /** @param take `tryLock` or `waitForLock` @returns what `action` does; undefined when the lock is not to be had */
  async #locked<T>(take: (fd: number) => boolean, action: () => T | Promise<T>): Promise<T | undefined> {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const lock = openSync(`${this.directory}/.lock`, "w", 0o600);
    try {
      return take(lock) ? await action() : undefined;
    } finally {
      closeSync(lock);
    }
  }

  async #makeAlone(shape: Shape, build: (files: TemplateFiles) => Promise<unknown>): Promise<Template | undefined> {
    const files = filesIn(`${this.directory}/.new`);
    this.#sweep();
    try {
      mkdirSync(files.directory, { mode: 0o700 });
      const { key, subject, sources } = shape;
      describe(files, { key, subject, sources, notes: await build(files) });
      renameSync(files.directory, `${this.directory}/${key}`);
      forgetProblem(this.directory, key);
      return this.find(key);
    } finally {
      rmSync(files.directory, { recursive: true, force: true });
    }
  }

  /** Removes a template. Machines that were cloned from it keep what they have mapped. @returns whether there was one */
  drop(key: string): boolean {
    const path = `${this.directory}/${key}`;
    const old = `${this.directory}/${oldPrefix}${key}`;
    rmSync(old, { recursive: true, force: true });
    try {
      // At once and whole: its process may be writing to it just now.
      renameSync(path, old);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return false;
      // An overlay keeps directories of its lower layer where they are (rename(2) says EXDEV).
      rmSync(path, { recursive: true, force: true });
      return true;
    }
    rmSync(old, { recursive: true, force: true });
    return true;
  }

  /** Every template, the newest first. */
  list(): TemplateInfo[] {
    return readNames(this.directory)
      .filter((name) => !name.startsWith("."))
      .map((key) => {
        const files = filesIn(`${this.directory}/${key}`);
        const description = readDescription(files.directory);
        const process = processStatus(files.directory);
        return { key, status: statusOf(files, description), ...sizeOf(files), subject: description?.subject, process };
      })
      .sort((a, b) => b.made.getTime() - a.made.getTime());
  }

  /** Removes what no machine will be cloned from. Waits while somebody makes a template. @returns what was removed */
  async collect(): Promise<TemplateInfo[]> {
    return (await this.#locked(waitForLock, () => this.#sweep())) ?? [];
  }

  /** Removes what is left of a maker, or of a removal, that was killed, what is not good, and the oldest beyond the budget. */
  #sweep(): TemplateInfo[] {
    for (const name of readNames(this.directory)) {
      if (name !== ".new" && !name.startsWith(oldPrefix)) continue;
      rmSync(`${this.directory}/${name}`, { recursive: true, force: true });
    }
    let bytes = 0;
    return this.list().filter((info) => {
      if (info.status === "good") bytes += info.bytes;
      return (info.status !== "good" || bytes > this.#budget) && this.drop(info.key);
    });
  }
}

/** The key for all that a machine is made of: the same for the same, and nothing else has it. */
export function templateKey(parts: Readonly<Record<string, unknown>>): string {
  return sha256(JSON.stringify(parts)).slice(0, 24);
}

function sizeOf({ memory, state, console }: TemplateFiles): { bytes: number; made: Date } {
  const stats = [memory, state, console].map((path) => statSync(path, { throwIfNoEntry: false }));
  return {
    bytes: stats.reduce((sum, stat) => sum + (stat?.blocks ?? 0) * 512, 0),
    made: stats[0]?.ctime ?? new Date(0),
  };
}

function readNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
