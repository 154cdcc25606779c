/** `runv branch`: running copies of a running container. */
import { anyway } from "../base/anyway";
import { RunvError } from "../base/error";
import { log } from "../base/log";
import type { GlobalOptions } from "../base/settings";
import { span } from "../base/trace";
import { freeze } from "../guest/freeze";
import { killInit } from "../guest/signal";
import { architecture } from "../linux/syscalls";
import { type Bundle, loadBundle } from "../oci/bundle";
import { findNamespace } from "../oci/namespaces";
import { Program } from "../program/program";
import type { SandboxClient } from "../sandbox/client";
import { controlSocket, sandboxDirectory } from "../sandbox/paths";
import { settings } from "../sandbox/settings";
import { remove } from "./delete";
import { BranchRoots, rootOf } from "./making/branch-root";
import {
  closeTrees,
  openMounts,
  openRoot,
  openTrees,
  prepareIdMaps,
  rootPath,
  type SharedTree,
  shareTrees,
  viewOf,
} from "./making/bundle-mounts";
import { disksOf } from "./making/disks";
import { Making } from "./making/making";
import { othersIn } from "./making/pod";
import { withLock } from "./record/lock";
import { initOf, openContainer, withSandbox } from "./record/open";
import { type ContainerRecord, changeRecord, makeContainerDirectory } from "./record/store";
import { checkConsole } from "./shim/console";

export interface BranchOptions {
  global: GlobalOptions;
  /** The container that is copied. */
  id: string;
  /** What the copies are called. */
  ids: readonly string[];
  /** Of the one copy: a bundle of the caller's, whose root file system is taken as it is. */
  bundle: string | undefined;
  /** A signal for the first process of each copy; 0: none. */
  signal: number;
  consoleSocket: string | undefined;
  pidFile: string | undefined;
}

/** `runv branch`. @returns the exit code */
export async function branchContainer(options: BranchOptions): Promise<number> {
  const { global, id } = options;
  await withLock(global.root, id, async () => {
    const { record, status } = openContainer(global.root, id);
    if (status !== "running" && status !== "paused")
      throw refused(`the container is ${status}`, "what is branched off is a container that runs");
    await branchAll(options, record);
  });
  return 0;
}

/** Makes all of them, or none. */
async function branchAll(options: BranchOptions, record: ContainerRecord): Promise<void> {
  const { global, ids } = options;
  const original = checked(global.root, record);
  const own = options.bundle === undefined ? undefined : loadBundle(options.bundle);
  const roots = own === undefined ? new BranchRoots(record, settings(global).branches, ids.length) : undefined;
  roots?.enter();
  try {
    // The first of them that is recorded, which all are by then, has it done for all.
    let prepared: Promise<void> | undefined;
    const prepare = () => {
      prepared ??= Promise.resolve().then(() => span("copy the root file system", () => roots?.prepare()));
      return prepared;
    };
    const branches = ids.map((id, index) => {
      const root = roots && { directory: roots.directories[index]!, record: roots.recordOf(index) };
      return new Branch(options, record, own ?? original, id, prepare, root);
    });
    const made = branches.map((branch) => branch.make());
    for (const promise of made) promise.catch(() => {});
    await forkAll(global.root, record, branches, roots);
    const results = await Promise.allSettled(made);
    const rejected = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
    // One that failed by itself, if there is one.
    const failed = rejected.find((reason) => reason !== givenUp) ?? rejected[0];
    try {
      if (failed !== undefined) throw failed;
      for (const branch of branches) await branch.begin();
    } catch (error) {
      for (const [index, { status }] of results.entries()) {
        if (status === "fulfilled") await anyway(() => remove(global.root, ids[index]!, true));
      }
      throw error;
    }
  } catch (error) {
    roots?.remove();
    throw error;
  } finally {
    roots?.close();
  }
}

/** Why those are not made that could be. */
const givenUp = refused("another one cannot be made");

/** Has the original stand still as soon as all the others are ready for it, and until they are forked. */
async function forkAll(
  root: string,
  record: ContainerRecord,
  branches: readonly Branch[],
  roots: BranchRoots | undefined,
): Promise<void> {
  await Promise.all(branches.map(({ ready }) => ready));
  const waiting = branches.filter(({ failed }) => !failed);
  try {
    if (waiting.length < branches.length) throw givenUp;
    await withSandbox(root, record, async (client) => {
      await client.still(record.id, waiting.length, record.paused);
      try {
        await span("copy what has changed", () => roots?.finish());
        for (const branch of waiting) branch.stands();
        // Where one fails, the others are not waited for: they wait until the original goes on.
        await Promise.all(waiting.map(({ forked }) => forked));
      } finally {
        const { ms } = await client.goOn();
        log.debug(`${record.id} stood still for ${ms.toFixed(1)} ms`);
      }
    });
  } catch (error) {
    for (const branch of waiting) branch.stands(error);
  }
}

/** The original's bundle, if branches of it can be made. @throws RunvError BRANCH_REFUSED, … */
function checked(root: string, record: ContainerRecord): Bundle {
  const bundle = loadBundle(record.bundle);
  const [other] = othersIn(root, record);
  if (other !== undefined) throw refused(`${other.id} runs in the same virtual machine`);
  if (findNamespace(record.namespaces, "network") === undefined) throw refused("it is in the host's network");
  if (disksOf(bundle).length > 0) throw refused("it has disks, which two machines cannot write to");
  return bundle;
}

function refused(why: string, hint?: string): RunvError {
  return new RunvError("BRANCH_REFUSED", `cannot branch: ${why}`, hint === undefined ? {} : { hint });
}

/** What there is of its root file system. */
interface BranchRoot {
  directory: string;
  record: ReturnType<BranchRoots["recordOf"]>;
}

/** One of them, in the making. */
class Branch {
  /** Fulfilled when all is there but the machine, or it has failed. */
  readonly ready: Promise<void>;
  /** Fulfilled when the machine is forked; rejected when it fails before. */
  readonly forked: Promise<void>;
  failed = false;
  readonly #options: BranchOptions;
  readonly #original: ContainerRecord;
  readonly #id: string;
  readonly #share: string;
  readonly #bundle: Bundle;
  readonly #root: BranchRoot | undefined;
  readonly #prepare: () => Promise<void>;
  readonly #ready = Promise.withResolvers<void>();
  readonly #stands = Promise.withResolvers<void>();
  readonly #forked = Promise.withResolvers<void>();
  #release = () => {};

  /**
   * @param bundle the caller's for it; or the original's, with a root file system of its own
   * @param prepare has that prepared
   */
  constructor(
    options: BranchOptions,
    original: ContainerRecord,
    bundle: Bundle,
    id: string,
    prepare: () => Promise<void>,
    root?: BranchRoot,
  ) {
    this.ready = this.#ready.promise;
    this.forked = this.#forked.promise;
    for (const { promise } of [this.#stands, this.#forked]) promise.catch(() => {});
    this.#options = options;
    this.#original = original;
    this.#id = id;
    this.#share = original.branch?.share ?? original.id;
    this.#prepare = prepare;
    this.#root = root;
    this.#bundle =
      root === undefined
        ? { ...bundle, config: { ...bundle.config, process: original.process } }
        : { ...bundle, rootfs: rootOf(root.directory), config: ownConfig(bundle, original, id) };
  }

  /** Makes it, up to where its processes are to go on. @throws RunvError; nothing is left behind then */
  async make(): Promise<void> {
    try {
      await this.#make();
    } catch (error) {
      this.failed = true;
      this.#forked.reject(error);
      throw error;
    } finally {
      this.#ready.resolve();
    }
  }

  async #make(): Promise<void> {
    const { global, consoleSocket, pidFile } = this.#options;
    const { config } = this.#bundle;
    const create = { global, id: this.#id, bundle: this.#bundle.bundle, consoleSocket, pidFile };
    const arch = this.#original.settings.architecture ?? architecture;
    const vm = settings({ ...global, driverOptions: { ...global.driverOptions, arch } });
    const making = new Making({ ...create, pidfdSocket: undefined, preserveFds: 0 }, vm, this.#bundle, undefined);
    checkConsole(config.process, consoleSocket, true);
    makeContainerDirectory(global.root, this.#id);
    try {
      const trees =
        this.#root === undefined ? openTrees(this.#share, this.#bundle) : openMounts(this.#share, this.#bundle);
      try {
        await prepareIdMaps(trees);
        const { shim } = await making.make(
          {
            lower: () => ({ main: new Program(new Uint8Array(), []), settings: this.#original.settings }),
            share: async (sandbox) => {
              await this.#prepare();
              await shareTrees(sandbox, trees);
            },
            shareMemory: async () => {},
            seal: async (sandbox) => {
              if (config.root.readonly) await sandbox.seal(rootPath(this.#share));
            },
            addDisks: async (_, programs) => ({ programs }),
            view: () => viewOf(this.#bundle, trees),
            branch: {
              init: initOf(this.#original),
              record: { of: this.#original.id, share: this.#share, ...this.#root?.record },
              fork: (sandbox, machine) => this.#fork(sandbox, machine, trees),
            },
          },
          { detach: true, complete: true },
        );
        this.#release = () => shim.release();
      } finally {
        closeTrees(trees);
      }
    } catch (error) {
      await making.undo();
      throw error;
    }
  }

  async #fork(sandbox: SandboxClient, machine: Parameters<SandboxClient["launch"]>[0], trees: SharedTree[]) {
    this.#ready.resolve();
    await this.#stands.promise;
    const { root } = this.#options.global;
    let shared: Promise<void> | undefined;
    if (this.#root !== undefined) {
      const own = openRoot(this.#share, this.#bundle);
      trees.push(own);
      shared = shareTrees(sandbox, [own]);
    }
    const forked = sandbox.branch({
      ...machine,
      from: controlSocket(sandboxDirectory(root, this.#original.sandbox)),
      init: initOf(this.#original),
      container: this.#id,
      of: this.#original.id,
      hostname: (this.#bundle.config.hostname ?? this.#id).slice(0, longestName),
    });
    const [machineInfo] = await Promise.all([forked, shared]);
    this.#forked.resolve();
    return machineInfo;
  }

  /** The original stands still, or will not. */
  stands(error?: unknown): void {
    if (error === undefined) this.#stands.resolve();
    else this.#stands.reject(error);
  }

  /** Lets its processes go on, unless those of the original are paused. */
  async begin(): Promise<void> {
    const { global, signal } = this.#options;
    const { record } = openContainer(global.root, this.#id);
    this.#release();
    await withSandbox(global.root, record, async ({ guest }) => {
      if (signal > 0) await guest.call(killInit(initOf(record), signal));
      if (this.#original.paused) return;
      const set = (frozen: boolean) => guest.call(freeze(this.#id, frozen));
      await changeRecord(
        global.root,
        { ...record, paused: false },
        () => set(false),
        () => set(true),
      );
    });
  }
}

/** HOST_NAME_MAX (limits.h) */
const longestName = 64;

/** The original's configuration, as it is another container's: with its own network namespace, cgroup and name, and no hooks of whoever made that. */
function ownConfig({ config }: Bundle, { process, resources }: ContainerRecord, id: string): Bundle["config"] {
  const { linux } = config;
  const path = cgroupsPathFor(linux.cgroupsPath, id);
  const namespaces = linux.namespaces.map((namespace) =>
    namespace.type === "network" ? { type: namespace.type } : namespace,
  );
  const none = {
    prestart: [],
    createRuntime: [],
    createContainer: [],
    startContainer: [],
    poststart: [],
    poststop: [],
  };
  return {
    ...config,
    process,
    hostname: id,
    hooks: none,
    linux: { ...linux, namespaces, ...(resources && { resources }), ...(path !== undefined && { cgroupsPath: path }) },
  };
}

/** Beside the original's. */
function cgroupsPathFor(path: string | undefined, id: string): string | undefined {
  if (path === undefined || path === "") return path;
  return path.replace(/[^/:]*$/, id);
}
