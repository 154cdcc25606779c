/**
 * The root file systems of branches: overlays over one copy that they have together. What the original has is written to by the original, and is
 * copied; what lies below that, where it is an overlay itself, is nobody's to change.
 */
import { closeSync, existsSync, mkdirSync, openSync, realpathSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { messageOf, RunvError } from "../../base/error";
import { log } from "../../base/log";
import { MNT_DETACH, MS_SLAVE, O_DIRECTORY } from "../../linux/constants";
import { syscall } from "../../linux/local";
import { makeMountNamespace } from "../../linux/namespaces";
import { newSandbox } from "../../sandbox/paths";
import { TreeCopies } from "../../share/copy-tree";
import { type Layers, layersOf, optionsFor } from "../../share/layers";
import type { BranchRecord, ContainerRecord } from "../record/store";

/** Of a branch's record. */
type RootRecord = Pick<BranchRecord, "directory" | "snapshots" | "layers">;

/** Where it is in a branch's directory. */
export function rootOf(directory: string): string {
  return `${directory}/rootfs`;
}

const [usersOf, copyOf] = [(snapshot: string) => `${snapshot}/users`, (snapshot: string) => `${snapshot}/copy`];
const [upperOf, workOf] = [(directory: string) => `${directory}/upper`, (directory: string) => `${directory}/work`];

/** A directory of Docker's between a container's own layer and those of its image, which goes with the container. */
const ownLayer = /-init\/diff$/;

/** The root file systems of all branches that one command makes. */
export class BranchRoots {
  /** Of each branch. */
  readonly directories: readonly string[];
  readonly #rootfs: string;
  readonly #original: Layers | undefined;
  /** The layers that are copied, the topmost first: the first of them is written to. None: all of the root file system is. */
  readonly #copied: readonly string[];
  /** Where their copies are. */
  readonly #snapshots: readonly string[];
  /** Those of the original that the branches go on having. */
  readonly #older: readonly string[];
  readonly #layers: Layers;
  #copies: TreeCopies | undefined;
  readonly #mounted: string[] = [];
  /** They are overlays; else each is a whole copy. */
  #areOverlays = true;

  /**
   * Nothing is made yet.
   * @param branches the directory for all of it
   */
  constructor({ rootfs, branch }: ContainerRecord, branches: string, count: number) {
    const name = () => `${branches}/${newSandbox()}`;
    this.directories = Array.from({ length: count }, name);
    this.#rootfs = rootfs;
    this.#original =
      branch?.directory !== undefined && existsSync(upperOf(branch.directory)) ? ofBranch(branch) : layersIn(rootfs);
    const { upper, lower = [], options = [] } = this.#original ?? {};
    const own = lower.findIndex((path) => !ownLayer.test(realpathSync(path)));
    const below = lower.slice(0, Math.max(own, 0));
    this.#copied = this.#original === undefined ? [rootfs] : [...(upper === undefined ? [] : [upper]), ...below];
    this.#snapshots = this.#copied.map(name);
    this.#older = branch?.snapshots ?? [];
    this.#layers = { lower: [...this.#snapshots.map(copyOf), ...lower.slice(below.length)], options };
  }

  /** What is to be recorded of one before anything of it is made. */
  recordOf(index: number): RootRecord {
    const snapshots = [...this.#snapshots, ...this.#older];
    return { directory: this.directories[index]!, snapshots, layers: this.#layers };
  }

  /** Gives this thread, and the processes that it starts from now on, a mount namespace for them: none of them is seen on the host, or left there. */
  enter(): void {
    makeMountNamespace(MS_SLAVE);
  }

  /** Makes what is there before the original stands still. @throws RunvError BRANCH_ROOT */
  prepare(): void {
    reported("make", () => this.#prepare());
  }

  #prepare(): void {
    // No other user of the host gets at what is set-uid in it.
    for (const path of [...this.directories, ...this.#snapshots]) mkdirSync(path, { recursive: true, mode: 0o700 });
    for (const directory of this.directories) mkdirSync(rootOf(directory));
    for (const snapshot of this.#snapshots) {
      mkdirSync(copyOf(snapshot));
      mkdirSync(usersOf(snapshot));
    }
    for (const snapshot of [...this.#snapshots, ...this.#older]) {
      for (const directory of this.directories) writeFileSync(userOf(snapshot, directory), "");
    }
    this.#areOverlays = this.#canOverlay();
    if (!this.#areOverlays) {
      this.#copies = copiesOf(this.#rootfs, this.directories.map(rootOf), false);
      this.#copies.sync();
      return;
    }
    for (const [index, path] of this.#copied.entries()) {
      const copies = copiesOf(path, [copyOf(this.#snapshots[index]!)], this.#original !== undefined);
      copies.sync();
      // Nobody writes to those below the topmost.
      if (index === 0) this.#copies = copies;
      else copies.close();
    }
  }

  /** Tries it with the layers as they are: a file system may not be fit for one. */
  #canOverlay(): boolean {
    const directory = this.directories[0]!;
    for (const one of this.directories) for (const path of [upperOf(one), workOf(one)]) mkdirSync(path);
    try {
      this.#mount(directory);
      syscall("umount2", this.#mounted.pop()!, MNT_DETACH);
      rmSync(workOf(directory), { recursive: true });
      mkdirSync(workOf(directory));
      return true;
    } catch (error) {
      log.debug(`the root file systems of branches are copied whole: ${String(error)}`);
      for (const one of this.directories) {
        for (const path of [upperOf(one), workOf(one)]) rmSync(path, { recursive: true, force: true });
      }
      return false;
    }
  }

  #mount(directory: string): void {
    const options = optionsFor({ ...this.#layers, upper: upperOf(directory) }, workOf(directory));
    if (options === undefined) throw new RangeError("too many layers");
    syscall("mount", "overlay", rootOf(directory), "overlay", 0, options);
    this.#mounted.push(rootOf(directory));
  }

  /** Copies what has changed since, while the original stands still, and makes the root file systems. @throws RunvError BRANCH_ROOT */
  finish(): void {
    this.#copies?.sync();
    if (this.#areOverlays)
      reported("mount", () => {
        for (const directory of this.directories) this.#mount(directory);
      });
  }

  /** Lets go of them: they stay where they were passed on to. */
  close(): void {
    this.#copies?.close();
    this.#copies = undefined;
    for (const mounted of this.#mounted.splice(0)) syscall("umount2", mounted, MNT_DETACH);
  }

  /** Removes all of them. */
  remove(): void {
    this.close();
    for (const index of this.directories.keys()) removeBranchRoot(this.recordOf(index));
  }
}

/** Removes what there is of a branch's root file system, also where not all of it was made. */
export function removeBranchRoot({ directory, snapshots = [] }: RootRecord): void {
  if (directory === undefined) return;
  rmSync(directory, { recursive: true, force: true });
  for (const snapshot of snapshots) {
    rmSync(userOf(snapshot, directory), { force: true });
    try {
      // Only one of those that remove branches at the same time can do this.
      rmdirSync(usersOf(snapshot));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOTEMPTY" || code === "ENOENT") continue;
      throw error;
    }
    rmSync(snapshot, { recursive: true, force: true });
  }
}

function reported(doing: string, action: () => void): void {
  try {
    action();
  } catch (cause) {
    if (cause instanceof RunvError) throw cause;
    throw new RunvError("BRANCH_ROOT", `${doing} the root file systems of branches: ${messageOf(cause)}`, { cause });
  }
}

function userOf(snapshot: string, directory: string): string {
  return `${usersOf(snapshot)}/${basename(directory)}`;
}

function ofBranch({ directory, layers }: BranchRecord): Layers | undefined {
  return layers && { ...layers, upper: upperOf(directory!) };
}

function layersIn(rootfs: string): Layers | undefined {
  const directory = openSync(rootfs, O_DIRECTORY);
  try {
    return layersOf(directory);
  } finally {
    closeSync(directory);
  }
}

function copiesOf(from: string, to: readonly string[], isLayer: boolean): TreeCopies {
  const directory = openSync(from, O_DIRECTORY);
  try {
    return new TreeCopies(directory, to, isLayer);
  } finally {
    closeSync(directory);
  }
}
