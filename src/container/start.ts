import { messageOf, RunvError } from "../base/error";
import { log } from "../base/log";
import { span } from "../base/trace";
import { killInit } from "../guest/signal";
import { SIGKILL } from "../linux/signals";
import { explain } from "../program/program";
import type { GoResult } from "../sandbox/messages";
import { startProcess } from "../sandbox/template/template-process";
import { runHooks } from "./making/hooks";
import type { ContainerOptions } from "./options";
import { withLock } from "./record/lock";
import { initOf, openContainer, withSandbox } from "./record/open";
import { wrongToStart } from "./record/open-record";
import { stateOf } from "./record/status";
import { type ContainerRecord, changeRecord } from "./record/store";

/** `runv start`. @returns the exit code */
export async function startContainer({ global, id }: ContainerOptions): Promise<number> {
  await start(global.root, id);
  return 0;
}

/**
 * Lets a created container run.
 * @param follow whether its network is to be looked at again, and followed from now on: it is not yet
 * @throws RunvError CONTAINER_STATE when it is not created; COMMAND_FAILED when its command cannot be executed; HOOK_FAILED, and the
 *   container is killed then
 */
export async function start(root: string, id: string, { follow } = { follow: true }): Promise<void> {
  await withLock(root, id, async () => {
    const { record, status } = openContainer(root, id);
    if (status !== "created") throw wrongToStart(status);
    const started: ContainerRecord = { ...record, phase: "running", templateProcess: undefined };
    await withSandbox(root, record, async (client) => {
      if (follow) await span("network", () => client.network(id, true));
      const begin = async () => {
        const result = await span("exec", () => client.go(initOf(record)));
        if (result.at !== "execed") throw failure(record, result);
      };
      // What has begun cannot go back to where it was: it is ended.
      await changeRecord(root, started, begin, () => client.guest.call(killInit(initOf(record), SIGKILL)));
    });
    if (record.templateProcess !== undefined) startProcess(record.templateProcess);
    const { pid, ...state } = stateOf(root, started);
    try {
      await runHooks("poststart", record.hooks.poststart, { ...state, pid });
    } catch (error) {
      // As runc: a container that is not welcome is ended, unless it has by itself.
      const kill = withSandbox(root, record, ({ guest }) => guest.call(killInit(initOf(record), SIGKILL)));
      await kill.catch((problem: unknown) => log.debug(messageOf(problem)));
      throw error;
    }
  });
}

function failure({ afterStop }: ContainerRecord, { at, instruction = 0, errno = 0 }: GoResult): RunvError {
  if (at === "failed") return explain(afterStop?.notes[instruction - afterStop.from], errno);
  return new RunvError("GUEST_LOST", "start the container: its process ended before it could begin");
}
