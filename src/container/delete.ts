import { existsSync } from "node:fs";
import { RunvError } from "../base/error";
import { log } from "../base/log";
import { within } from "../base/within";
import { endOrphan } from "../hypervisor/orphans";
import { signalProcess, waitForEnd, withDescendants } from "../linux/processes";
import { SIGKILL } from "../linux/signals";
import type { SandboxClient } from "../sandbox/client";
import { removeSandbox, sandboxDirectory } from "../sandbox/paths";
import { isInHostCgroup, joinHostCgroup, removeHostCgroup } from "./cgroup/host-cgroup";
import { removeBranchRoot } from "./making/branch-root";
import { runHooksAnyway } from "./making/hooks";
import { clearNetwork } from "./making/network-namespace";
import { othersIn } from "./making/pod";
import type { DeleteOptions } from "./options";
import { withLock } from "./record/lock";
import { openContainer, withSandbox } from "./record/open";
import { stateOf } from "./record/status";
import { endStopped } from "./record/stopped";
import { type ContainerRecord, containerDirectory, readRecord, removeContainerDirectory } from "./record/store";

/** How long a machine may take to end once nobody holds it; then it is killed. */
const endTimeoutMs = 10_000;
/** How long a machine in which others go on may take to let go of a container. */
const forgetTimeoutMs = 10_000;

/** `runv delete`. @returns the exit code */
export async function deleteContainer({ global, id, force }: DeleteOptions): Promise<number> {
  await remove(global.root, id, force);
  return 0;
}

/**
 * Removes a container and all that is left of it.
 * @param force kill it first; and it is no error if there is none
 * @throws RunvError CONTAINER_UNKNOWN, CONTAINER_STATE
 */
export async function remove(root: string, id: string, force: boolean): Promise<void> {
  if (force) {
    const record = tryRead(root, id);
    if (record === undefined) {
      // What a command left that was killed at once, or nothing.
      if (existsSync(containerDirectory(root, id))) removeContainerDirectory(root, id);
      return;
    }
    // Before the lock: who holds it may wait for what is killed here.
    kill(record);
  }
  try {
    await withLock(root, id, () => removeLocked(root, id, force));
  } catch (error) {
    // Somebody else was quicker.
    if (!(force && error instanceof RunvError && error.code === "CONTAINER_UNKNOWN")) throw error;
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
  const [heir] = othersIn(root, record);
  if (heir === undefined) await removeSandboxOf(root, record);
  else await leaveMachine(root, record, heir);
  if (record.branch !== undefined) removeBranchRoot(record.branch);
  removeContainerDirectory(root, id);
  const { pid: _, ...state } = stateOf(root, record);
  await runHooksAnyway("poststop", record.hooks.poststop, { ...state, status: "stopped" });
}

/**
 * Ends the container's shim, and with it the container: the monitor kills what a client leaves behind. A command that is making it
 * ends as well; a daemon is let go on until it has made it, or has failed without its shim.
 */
function kill({ phase, creator, byDaemon, shim }: ContainerRecord): void {
  if (phase === "creating" && !byDaemon) signalProcess(creator, SIGKILL);
  if (shim !== undefined) signalProcess(shim, SIGKILL);
}

/** Waits until the machine has ended, helps it where it does not, and removes what it leaves. */
async function removeSandboxOf(
  root: string,
  { sandbox, monitor, machine, cgroup, shim, namespaces }: ContainerRecord,
): Promise<void> {
  const directory = sandboxDirectory(root, sandbox);
  endStopped({ monitor, machine });
  if (monitor !== undefined && !waitForEnd(monitor, endTimeoutMs)) {
    signalProcess(monitor, SIGKILL);
    waitForEnd(monitor, endTimeoutMs);
  }
  if (shim !== undefined) waitForEnd(shim, endTimeoutMs);
  clearNetwork(namespaces);
  // Processes of its are in the cgroup.
  await endOrphan(directory);
  await removeHostCgroup(cgroup);
  removeSandbox(directory);
}

/** Takes a container out of a machine in which others go on, one of which answers for it on the host from now on. */
async function leaveMachine(root: string, record: ContainerRecord, heir: ContainerRecord): Promise<void> {
  const { id, shim, monitor, machine, cgroup } = record;
  if (shim !== undefined) waitForEnd(shim, endTimeoutMs);
  const forget = (client: SandboxClient) => client.forget(id).then(() => true);
  const forgotten = withSandbox(root, record, (client) => within(forgetTimeoutMs, forget(client)));
  if (!(await forgotten.catch(ifSilent))) {
    log.warn(`the virtual machine does not answer: what it has of ${id} goes with it`);
  }
  // Who serves its files, or watches over it, is a child of the monitor's.
  for (const pid of monitor === undefined ? [] : withDescendants(monitor.pid, machine?.pid)) {
    if (isInHostCgroup(cgroup, pid)) await joinHostCgroup(heir.cgroup, pid);
  }
  await removeHostCgroup(cgroup);
}

function ifSilent(error: unknown): false {
  if (error instanceof RunvError && error.code === "GUEST_SILENT") return false;
  throw error;
}

function tryRead(root: string, id: string): ContainerRecord | undefined {
  try {
    return readRecord(root, id);
  } catch (error) {
    if (error instanceof RunvError && error.code === "CONTAINER_UNKNOWN") return undefined;
    throw error;
  }
}
