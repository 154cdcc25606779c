/** Looks containers up, by what is known of them on disk. */
import { RunvError } from "../../base/error";
import type { Status } from "../../oci/state";
import { statusOf } from "./status";
import { type ContainerRecord, readRecord } from "./store";

/** A container with its status. */
export interface OpenContainer {
  record: ContainerRecord;
  status: Status;
}

/** Looks a container up. @throws RunvError CONTAINER_UNKNOWN */
export function openContainer(root: string, id: string): OpenContainer {
  const record = readRecord(root, id);
  return { record, status: statusOf(root, record) };
}

/**
 * Looks up a container that one more process is to run in.
 * @param ignorePaused it may be paused
 * @throws RunvError CONTAINER_UNKNOWN, CONTAINER_PAUSED, CONTAINER_NOT_RUNNING
 */
export function openRunning(root: string, id: string, ignorePaused: boolean): ContainerRecord {
  const { record, status } = openContainer(root, id);
  if (status === "paused" && !ignorePaused) {
    throw new RunvError("CONTAINER_PAUSED", `cannot exec in a paused container (use --ignore-paused to override)`);
  }
  if (status !== "running" && status !== "created" && status !== "paused") {
    throw new RunvError("CONTAINER_NOT_RUNNING", `cannot exec in a ${status} container`);
  }
  return record;
}

/** What keeps a container that is not created from being started, in runc's words. */
export function wrongToStart(status: Status): RunvError {
  if (status === "stopped") return new RunvError("CONTAINER_STATE", "cannot start a container that has stopped");
  if (status === "running") return new RunvError("CONTAINER_STATE", "cannot start an already running container");
  return new RunvError("CONTAINER_STATE", `cannot start a container in the ${status} state`);
}
