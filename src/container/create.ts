import { existsSync } from "node:fs";
import type { Settings } from "../base/settings";
import { diskPath } from "../guest/disks";
import { lowerContainer } from "../guest/lower/container";
import { type SharedSettings, sharedSettings } from "../guest/lower/settings";
import { type Bundle, loadBundle } from "../oci/bundle";
import type { Config } from "../oci/config";
import { EarlyMonitor } from "../sandbox/early-monitor";
import { settings as vmSettings } from "../sandbox/settings";
import { absentCommands } from "./making/absent-commands";
import { withAnnotations } from "./making/annotations";
import { assertSame, forItsArchitecture } from "./making/architecture";
import {
  closeTrees,
  guestRootfs,
  isRoot,
  makeMemories,
  openTrees,
  prepareIdMaps,
  rootPath,
  type SharedTree,
  shareTrees,
  sourcesOf,
  viewOf,
} from "./making/bundle-mounts";
import { inOneHierarchy } from "./making/cgroup-mounts";
import { attachDisks, disksOf, readPasswd, sharedBy } from "./making/disks";
import { passwdOf, withEnvironment } from "./making/environment";
import { Making } from "./making/making";
import { assertMemoryPolicy } from "./making/memory-policy";
import type { ContainerParts, Created, MakingPlan } from "./making/parts";
import { findPod, type Pod, withJoinedOwners } from "./making/pod";
import type { CreateOptions } from "./options";
import { makeContainerDirectory } from "./record/store";
import { refusePreservedFds } from "./shim/announce";
import { checkConsole, keepsOnlcr } from "./shim/console";
import { outputCredit } from "./shim/pump";

/** `runv create`. @returns the exit code */
export async function createContainer(options: CreateOptions): Promise<number> {
  const { shim } = await create(options, { detach: true, complete: false });
  shim.release();
  return 0;
}

/**
 * Makes a container: its machine, its shim, and its first process up to the point where it waits for `start`.
 * @throws RunvError; nothing is left behind then
 */
export async function create(options: CreateOptions, how: MakingPlan): Promise<Created> {
  const { id } = options;
  refusePreservedFds(options);
  const loaded = loadBundle(options.bundle);
  const bundle = { ...loaded, config: withJoinedOwners(options.global.root, inOneHierarchy(loaded.config)) };
  assertMemoryPolicy(bundle.config.linux);
  if (options.attended === undefined) checkConsole(bundle.config.process, options.consoleSocket, how.detach);
  const vm = vmSettings(forItsArchitecture(withAnnotations(options.global, bundle.config.annotations), bundle));
  const pod = findPod(options.global.root, bundle.config.linux.namespaces);
  // A pool that is there has one.
  const early = pod === undefined && !existsSync(vm.pool.directory) ? (options.early ?? new EarlyMonitor()) : undefined;
  if (early === undefined) options.early?.dismiss();
  let trees: SharedTree[] = [];
  try {
    trees = openTrees(id, bundle);
    await prepareIdMaps(trees);
    return await createWith({ options, bundle, vm, pod, early }, trees, how);
  } finally {
    closeTrees(trees);
    early?.dismiss();
  }
}

/** Where nothing is shared it matters not how, but that a machine without a server of runv's can be saved (`checkpoint`). */
function forItsShare(vm: Settings, shared: readonly string[]): Settings {
  const { driverOptions } = vm;
  if (shared.length > 0 || driverOptions.usualShare === undefined) return vm;
  return { ...vm, driverOptions: { ...driverOptions, usualShare: "9p" } };
}

/** What a container is made of. */
interface Material {
  options: CreateOptions;
  bundle: Bundle;
  vm: Settings;
  /** The machine that it is to share. */
  pod: Pod | undefined;
  /** The monitor of its own. */
  early: EarlyMonitor | undefined;
}

async function createWith(
  { options, bundle, vm, pod, early }: Material,
  trees: readonly SharedTree[],
  how: MakingPlan,
): Promise<Created> {
  const { id, global } = options;
  const disks = disksOf(bundle, options.rootDisk);
  const isDisk = disks.some(({ root }) => root !== undefined);
  // The record keeps the process as it was: a further one of another user has another HOME.
  const withHome = (config: Config, passwd: () => string): Config => ({
    ...config,
    process: withEnvironment(config.process, passwd),
  });
  const config = isDisk ? bundle.config : withHome(bundle.config, passwdOf(bundle));
  if (pod !== undefined) assertSame(vm.architecture, pod.member);
  const plan = {
    id,
    bundle: bundle.bundle,
    config,
    rootfs: isDisk ? diskPath(id) : guestRootfs(id),
    inherited: isDisk ? [] : trees.find(isRoot)!.inherited,
    sources: sourcesOf(id, bundle, trees),
    onlcr: keepsOnlcr(how.detach),
    credit: outputCredit,
    absent: isDisk ? undefined : absentCommands(bundle),
  };
  const joined = new Map(pod?.joined);
  const lower = (settings: SharedSettings, config: Config) => lowerContainer({ ...plan, joined, settings, config });
  const parts: ContainerParts = {
    lower(network) {
      if (network !== undefined) joined.set("network", network);
      const settings = sharedSettings(config, vm.architecture);
      return { ...lower(settings, config), settings };
    },
    share: (sandbox) => shareTrees(sandbox, isDisk ? trees.filter((tree) => !isRoot(tree)) : trees),
    shareMemory: (sandbox) => makeMemories(sandbox, id, trees),
    seal: async (sandbox) => {
      if (config.root.readonly && !isDisk) await sandbox.seal(rootPath(id));
    },
    // Only then is it known by what numbers the guest knows them, and what is on them.
    async addDisks(sandbox, programs) {
      if (disks.length === 0) return { programs };
      const attached = await attachDisks(sandbox, id, disks, config);
      if (!isDisk) return { programs: lower(programs.settings, attached) };
      const passwd = await readPasswd(sandbox, id);
      return {
        programs: lower(
          programs.settings,
          withHome(attached, () => passwd),
        ),
        passwd,
      };
    },
    view: () => viewOf(bundle, trees),
  };
  const making = new Making(options, forItsShare(vm, sharedBy(bundle, disks)), bundle, pod?.member, early);
  makeContainerDirectory(global.root, id);
  try {
    return await making.make(parts, how);
  } catch (error) {
    await making.undo();
    throw error;
  }
}
