import { RunvError } from "../../base/error";
import { SandboxClient } from "../../sandbox/client";
import { controlSocket, sandboxDirectory } from "../../sandbox/paths";
import { whileItAnswers } from "../../sandbox/silence";
import { whileItRuns } from "./stopped";
import type { ContainerRecord } from "./store";

export { type OpenContainer, openContainer, openRunning } from "./open-record";

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
