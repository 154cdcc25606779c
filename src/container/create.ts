import { diskPath } from "../guest/disks";
import { lowerContainer } from "../guest/lower/container";
import { sharedSettings } from "../guest/lower/settings";
import { loadBundle } from "../oci/bundle";
import type { Config } from "../oci/config";
import type { SandboxClient } from "../sandbox/client";
import { refusePreservedFds } from "./announce";
import { guestRootfs, shareTrees, sourcesOf, treesOf, viewOf } from "./bundle-mounts";
import { checkConsole } from "./console";
import { attachDisks, disksOf } from "./disks";
import { withHome } from "./environment";
import { type Created, Making } from "./making";
import type { CreateOptions } from "./options";
import { findPod } from "./pod";
import { outputCredit } from "./pump";
import { makeContainerDirectory } from "./store";

/** `runv create`. @returns the exit code */
export async function createContainer(options: CreateOptions): Promise<number> {
  const { shim } = await create(options, true);
  shim.release();
  return 0;
}

/**
 * Makes a container: its machine, its shim, and its first process up to the point where it waits for `start`.
 * @param detach whether the command returns while the container runs
 * @throws RunvError; nothing is left behind then
 */
export async function create(options: CreateOptions, detach: boolean): Promise<Created> {
  const { id, global } = options;
  refusePreservedFds(options);
  const bundle = loadBundle(options.bundle);
  if (options.attended === undefined) checkConsole(bundle.config.process, options.consoleSocket, detach);
  bundle.config.process = withHome(bundle.config.process, bundle.rootfs);
  const disks = disksOf(bundle);
  const isDisk = disks.some(({ root }) => root !== undefined);
  const trees = treesOf(id, bundle).filter(({ field }) => !isDisk || field !== "root.path");
  const { config } = bundle;
  const settings = sharedSettings(config);
  const plan = {
    id,
    bundle: bundle.bundle,
    config,
    rootfs: isDisk ? diskPath(id) : guestRootfs(id),
    sources: sourcesOf(id, trees),
    settings,
    credit: outputCredit,
  };
  const pod = findPod(global.root, config.linux.namespaces);
  const lower = (config: Config) => lowerContainer({ ...plan, config, ...(pod && { joined: pod.joined }) });
  // What cannot be is refused before anything is made; only disks are not known yet by the guest's numbers.
  const programs = lower(config);
  const withDisks = async (sandbox: SandboxClient) =>
    disks.length === 0 ? programs : lower(await attachDisks(sandbox, id, disks, config));
  const making = new Making(options, bundle, settings, pod?.member);
  makeContainerDirectory(global.root, id);
  try {
    return await making.make(withDisks, detach, viewOf(bundle, trees), (sandbox) => shareTrees(sandbox, trees));
  } catch (error) {
    await making.undo();
    throw error;
  }
}
