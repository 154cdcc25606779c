import { existsSync } from "node:fs";
import { RunvError } from "../../base/error";
import { signalProcess, waitForEnd } from "../../linux/processes";
import { SIGKILL } from "../../linux/signals";
import { findNamespace } from "../../oci/namespaces";
import { removeHostCgroup } from "../cgroup/host-cgroup";
import { runHooksAnyway } from "../making/hooks";
import type { DeleteOptions } from "../options";
import { withLock } from "../record/lock";
import { openContainer } from "../record/open-record";
import { stateOf } from "../record/status";
import { type ContainerRecord, containerDirectory, removeContainerDirectory, tryReadRecord } from "../record/store";
import { cgroupsBelow, containerProcesses, signalAll } from "./cgroup";

/** How long processes that were killed may take to end. */
const endTimeoutMs = 10_000;

/** `runv delete` of a container on this host. @returns the exit code */
export async function deleteFromHost({ global, id, force }: DeleteOptions): Promise<number> {
  await removeFromHost(global.root, id, force);
  return 0;
}

/**
 * Removes a container and all that is left of it.
 * @param force kill it first; and it is no error if there is none
 * @throws RunvError CONTAINER_UNKNOWN, CONTAINER_STATE
 */
export async function removeFromHost(root: string, id: string, force: boolean): Promise<void> {
  if (force) {
    const record = tryReadRecord(root, id);
    if (record === undefined) return;
    // Before the lock: who holds it may wait for what is killed here.
    kill(record);
  }
  try {
    await withLock(root, id, () => removeLocked(root, id, force));
  } catch (error) {
    // Somebody else was quicker.
    if (!(force && !existsSync(containerDirectory(root, id)))) throw error;
  }
}

async function removeLocked(root: string, id: string, force: boolean): Promise<void> {
  const { record, status } = openContainer(root, id);
  // As runc: one that was never started has nothing to lose.
  if (!force && status !== "stopped" && status !== "created") {
    throw new RunvError("CONTAINER_STATE", `cannot delete container ${id} that is not stopped: ${status}`, {
      hint: `'runv delete --force ${id}' kills it first`,
    });
  }
  kill(record);
  if (record.shim !== undefined) waitForEnd(record.shim, endTimeoutMs);
  const cgroups = record.cgroup.flatMap((directory) => cgroupsBelow(directory).reverse());
  await removeHostCgroup(cgroups);
  const { pid: _, ...state } = stateOf(root, record);
  removeContainerDirectory(root, id);
  await runHooksAnyway("poststop", record.hooks.poststop, { ...state, status: "stopped" });
}

/** Ends a container's processes, and the command that is making it. Without a pid namespace of its own they do not end with the first. */
function kill({ phase, creator, shim, cgroup, namespaces }: ContainerRecord): void {
  if (phase === "creating" && creator.pid !== process.pid) signalProcess(creator, SIGKILL);
  if (shim !== undefined) signalProcess(shim, SIGKILL);
  const own = findNamespace(namespaces, "pid");
  if ((own === undefined || own.path !== undefined) && containerProcesses(cgroup).length > 0)
    signalAll(cgroup, SIGKILL);
}
