import { RunvError } from "../base/error";
import type { Status } from "../oci/state";
import { SandboxClient } from "../sandbox/client";
import { controlSocket, sandboxDirectory } from "../sandbox/paths";
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

/** Connects to the sandbox that a container runs in, for as long as `action` takes. @throws RunvError SANDBOX_GONE */
export async function withSandbox<T>(
  root: string,
  { sandbox }: ContainerRecord,
  action: (client: SandboxClient) => Promise<T>,
): Promise<T> {
  const client = await SandboxClient.connect({ unix: controlSocket(sandboxDirectory(root, sandbox)) });
  try {
    return await action(client);
  } finally {
    client.close();
  }
}

/** The handle of a container's first process in the guest. @throws RunvError CONTAINER_NOT_RUNNING */
export function initOf({ init }: ContainerRecord): number {
  if (init === undefined) throw new RunvError("CONTAINER_NOT_RUNNING", "container not running");
  return init;
}
