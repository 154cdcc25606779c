import { RunvError } from "../base/error";
import type { Status } from "../oci/state";
import { SandboxClient } from "../sandbox/client";
import { controlSocket, sandboxDirectory } from "../sandbox/paths";
import { whileItAnswers } from "../sandbox/silence";
import { statusOf } from "./status";
import { whileItRuns } from "./stopped";
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

/**
 * Has the sandbox that a container runs in do something.
 * @returns what `action` does
 * @throws RunvError SANDBOX_GONE; GUEST_SILENT when its guest does not answer
 */
export function withSandbox<T>(
  root: string,
  record: ContainerRecord,
  action: (client: SandboxClient) => Promise<T>,
): Promise<T> {
  return connected(root, record, (client) => whileItAnswers(client, () => action(client)));
}

/** Connects to the sandbox that a container runs in, for as long as `action` takes. @throws RunvError SANDBOX_GONE, GUEST_SILENT */
export async function connected<T>(
  root: string,
  record: ContainerRecord,
  action: (client: SandboxClient) => Promise<T>,
): Promise<T> {
  let client: SandboxClient | undefined;
  const act = async () => {
    client = await SandboxClient.connect({ unix: controlSocket(sandboxDirectory(root, record.sandbox)) });
    try {
      return await action(client);
    } finally {
      client.close();
    }
  };
  return await whileItRuns(record, act, (error) => {
    client?.giveUp(error);
    return client !== undefined;
  });
}

/** The handle of a container's first process in the guest. @throws RunvError CONTAINER_NOT_RUNNING */
export function initOf({ init }: ContainerRecord): number {
  if (init === undefined) throw new RunvError("CONTAINER_NOT_RUNNING", "container not running");
  return init;
}
