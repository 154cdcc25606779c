import { lowerExec } from "../guest/lower/exec";
import type { Process } from "../oci/process";
import { sandboxDirectory } from "../sandbox/paths";
import { joinHostCgroup } from "./cgroup/host-cgroup";
import { subCgroup } from "./cgroup/sub-cgroup";
import { initOf } from "./record/open";
import { whileItRuns } from "./record/stopped";
import type { ContainerRecord } from "./record/store";
import type { Attended } from "./shim/attended";
import { keepsOnlcr, openStdio } from "./shim/console";
import { outputCredit } from "./shim/pump";
import { ShimHandle } from "./shim/spawn-shim";

/** How one more process of a container is started. */
export interface ExecPlan {
  consoleSocket: string | undefined;
  attended?: Attended | undefined;
  /** Whether the caller returns while the process runs. */
  detach: boolean;
  /** `[<controllers>:]<path below the container's own cgroup>`. */
  cgroups: readonly string[];
}

/**
 * Starts one more process in a container.
 * @param started told of the shim before the process begins
 * @returns its shim, which waits to be released: until then it ends with its caller
 * @throws RunvError COMMAND_FAILED and others; nothing is left behind then
 */
export async function startExec(
  root: string,
  record: ContainerRecord,
  process: Process,
  { consoleSocket, attended, detach, cgroups }: ExecPlan,
  started: (shim: ShimHandle) => void = () => {},
): Promise<ShimHandle> {
  const { id, namespaces, settings, cgroup, sandbox } = record;
  const inside = { id, init: initOf(record), subCgroup: subCgroup(cgroups), namespaces, settings };
  const onlcr = keepsOnlcr(detach);
  const program = lowerExec({ ...inside, process, onlcr, credit: outputCredit });
  const { stdio, close } = openStdio(process, { consoleSocket, attended });
  const shim = await ShimHandle.start(id, process.args, stdio).finally(close);
  try {
    await joinHostCgroup(cgroup, shim.identity.pid);
    started(shim);
    const directory = sandboxDirectory(root, sandbox);
    const begin = { id, sandbox: directory, terminal: process.terminal, foreground: !detach, attended };
    await whileItRuns(record, () => shim.begin(begin, program));
    return shim;
  } catch (error) {
    await shim.kill();
    throw error;
  }
}
