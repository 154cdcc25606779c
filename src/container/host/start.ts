import { closeSync } from "node:fs";
import { anyway } from "../../base/anyway";
import { RunvError } from "../../base/error";
import { SystemError } from "../../linux/local";
import { signalProcess } from "../../linux/processes";
import { SIGKILL } from "../../linux/signals";
import { connectForPackets } from "../../linux/unix-socket";
import { explain } from "../../program/program";
import { runHooks } from "../making/hooks";
import type { ContainerOptions } from "../options";
import { withLock } from "../record/lock";
import { openContainer, wrongToStart } from "../record/open-record";
import { stateOf } from "../record/status";
import { type ContainerRecord, changeRecord, containerDirectory } from "../record/store";
import { startSocket } from "./make";
import { hearStart } from "./process";

/** `runv start` of a container on this host. @returns the exit code */
export async function startOnHost({ global: { root }, id }: ContainerOptions): Promise<number> {
  await withLock(root, id, async () => {
    const { record, status } = openContainer(root, id);
    if (status !== "created") throw wrongToStart(status);
    const started: ContainerRecord = { ...record, phase: "running" };
    // What has begun cannot go back to where it was: it is ended.
    await changeRecord(
      root,
      started,
      async () => begin(root, record),
      () => signalProcess(record.shim!, SIGKILL),
    );
    await runPoststart(root, started);
  });
  return 0;
}

/** Runs the hooks of a container that has begun; one that is not welcome is ended, as with runc. @throws RunvError HOOK_FAILED */
export async function runPoststart(root: string, record: ContainerRecord): Promise<void> {
  try {
    await runHooks("poststart", record.hooks.poststart, stateOf(root, record));
  } catch (error) {
    await anyway(() => signalProcess(record.shim!, SIGKILL));
    throw error;
  }
}

/** @throws RunvError COMMAND_FAILED and others, CONTAINER_NOT_RUNNING */
function begin(root: string, { id, shim, afterStop }: ContainerRecord): void {
  const socket = connect(`${containerDirectory(root, id)}/${startSocket}`);
  try {
    const failed = hearStart(socket, shim!);
    if (failed === undefined) return;
    const [instruction, errno] = failed;
    throw explain(afterStop?.notes[instruction - afterStop.from], errno);
  } finally {
    closeSync(socket);
  }
}

function connect(path: string): number {
  try {
    return connectForPackets(path, 0);
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw new RunvError("CONTAINER_NOT_RUNNING", "start the container: its process does not wait any more", { cause });
  }
}
