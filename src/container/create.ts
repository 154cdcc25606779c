import { diskPath } from "../guest/disks";
import { lowerContainer } from "../guest/lower/container";
import { type SharedSettings, sharedSettings } from "../guest/lower/settings";
import { type Bundle, loadBundle } from "../oci/bundle";
import type { Config } from "../oci/config";
import { settings as vmSettings } from "../sandbox/settings";
import { absentCommands } from "./absent-commands";
import { refusePreservedFds } from "./announce";
import { assertSame, forItsArchitecture } from "./architecture";
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
} from "./bundle-mounts";
import { inOneHierarchy } from "./cgroup-mounts";
import { checkConsole, keepsOnlcr } from "./console";
import { attachDisks, disksOf, readPasswd } from "./disks";
import { passwdOf, withEnvironment } from "./environment";
import { Making } from "./making";
import { assertMemoryPolicy } from "./memory-policy";
import type { CreateOptions } from "./options";
import type { ContainerParts, Created, MakingPlan } from "./parts";
import { findPod } from "./pod";
import { outputCredit } from "./pump";
import { makeContainerDirectory } from "./store";

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
  const bundle = { ...loaded, config: inOneHierarchy(loaded.config) };
  assertMemoryPolicy(bundle.config.linux);
  if (options.attended === undefined) checkConsole(bundle.config.process, options.consoleSocket, how.detach);
  const trees = openTrees(id, bundle);
  try {
    await prepareIdMaps(trees);
    return await createWith(options, bundle, trees, how);
  } finally {
    closeTrees(trees);
  }
}

async function createWith(
  options: CreateOptions,
  bundle: Bundle,
  trees: readonly SharedTree[],
  how: MakingPlan,
): Promise<Created> {
  const { id, global } = options;
  const vm = vmSettings(forItsArchitecture(global, bundle));
  const disks = disksOf(bundle, options.rootDisk);
  const isDisk = disks.some(({ root }) => root !== undefined);
  // The record keeps the process as it was: a further one of another user has another HOME.
  const withHome = (config: Config, passwd: () => string): Config => ({
    ...config,
    process: withEnvironment(config.process, passwd),
  });
  const config = isDisk ? bundle.config : withHome(bundle.config, passwdOf(bundle));
  const pod = findPod(global.root, config.linux.namespaces);
  if (pod !== undefined) assertSame(vm.architecture, pod.member);
  const plan = {
    id,
    bundle: bundle.bundle,
    config,
    rootfs: isDisk ? diskPath(id) : guestRootfs(id),
    inherited: isDisk ? [] : trees.find(isRoot)!.inherited,
    sources: sourcesOf(id, trees),
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
    view: viewOf(bundle, trees),
  };
  const making = new Making(options, vm, bundle, pod?.member);
  makeContainerDirectory(global.root, id);
  try {
    return await making.make(parts, how);
  } catch (error) {
    await making.undo();
    throw error;
  }
}
