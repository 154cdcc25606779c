import { isAlive } from "../../linux/identity";
import { hasExecuted } from "../../linux/processes";
import type { ContainerState, Status } from "../../oci/state";
import { type ContainerRecord, readExit } from "./store";

/**
 * How a container is, now. What is on disk says how far commands brought it; whether it still lives is asked of its processes,
 * so that the answer is true the moment one of them was killed.
 */
export function statusOf(root: string, record: ContainerRecord): Status {
  const { phase, paused, creator, monitor, machine, shim } = record;
  if (readExit(root, record.id) !== undefined) return "stopped";
  if (phase === "creating")
    return isAlive(creator) && (monitor === undefined || isAlive(monitor)) ? "creating" : "stopped";
  const all = record.driver === "host" ? [shim] : [shim, monitor];
  for (const needed of all) if (needed === undefined || !isAlive(needed)) return "stopped";
  // Not every hypervisor's machine is a process of this host's; its monitor ends with it.
  if (machine !== undefined && !isAlive(machine)) return "stopped";
  if (paused) return "paused";
  // Whoever started it may have been killed before that was recorded.
  return record.driver === "host" && hasExecuted(shim!) ? "running" : phase;
}

/** What `state` and `list` tell of a container. */
export function stateOf(root: string, record: ContainerRecord): ContainerState {
  const { ociVersion, id, bundle, rootfs, created, owner, annotations } = record;
  const status = statusOf(root, record);
  const pid = status === "stopped" ? 0 : (record.shim?.pid ?? 0);
  return { ociVersion, id, status, pid, bundle, rootfs, created, owner, annotations };
}
