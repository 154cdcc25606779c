import { RunvError } from "../base/error";
import { log } from "../base/log";
import { within } from "../base/within";
import { killAll, killInit } from "../guest/signal";
import { signalProcess } from "../linux/processes";
import { endingSignals, SIGKILL } from "../linux/signals";
import type { KillOptions } from "./options";
import { initOf, openContainer, withSandbox } from "./record/open";
import type { ContainerRecord } from "./record/store";

/** How long a guest may take to kill. */
const answerTimeoutMs = 5_000;

/** `runv kill`. @returns the exit code */
export async function killContainer({ global, id, signal, all }: KillOptions): Promise<number> {
  const { record, status } = openContainer(global.root, id);
  // As runc: killing all of what has ended is done already.
  if (status === "stopped" && all) return 0;
  if (status === "stopped" || status === "creating") throw notRunning();
  // Its shim ends one that has not begun; it is told by such a signal as well.
  if (status === "created" && record.shim !== undefined && endingSignals.includes(signal)) {
    signalProcess(record.shim, signal);
    return 0;
  }
  const program = all ? killAll(id, signal) : killInit(initOf(record), signal);
  const done = withSandbox(global.root, record, ({ guest }) => guest.call(program));
  try {
    if (signal !== SIGKILL) await done;
    else if ((await within(answerTimeoutMs, done.catch(orSilent))) === undefined) killFromOutside(record);
  } catch (error) {
    if (openContainer(global.root, id).status !== "stopped") throw error;
    throw notRunning(error);
  }
  return 0;
}

function orSilent(error: unknown): undefined {
  if (!(error instanceof RunvError && error.code === "GUEST_SILENT")) throw error;
}

/** No guest keeps its container alive: it ends with its shim. */
function killFromOutside({ id, shim }: ContainerRecord): void {
  log.warn(`the virtual machine does not answer: ${id} is killed from outside`);
  if (shim !== undefined) signalProcess(shim, SIGKILL);
}

function notRunning(cause?: unknown): RunvError {
  return new RunvError("CONTAINER_NOT_RUNNING", "container not running", { cause });
}
