import { RunvError } from "../base/error";
import { killAll, killInit } from "../guest/signal";
import { initOf, openContainer, withSandbox } from "./open";
import type { KillOptions } from "./options";

/** `runv kill`. @returns the exit code */
export async function killContainer({ global, id, signal, all }: KillOptions): Promise<number> {
  const { record, status } = openContainer(global.root, id);
  // As runc: killing all of what has ended is done already.
  if (status === "stopped" && all) return 0;
  if (status === "stopped" || status === "creating") throw notRunning();
  const program = all ? killAll(id, signal) : killInit(initOf(record), signal);
  try {
    await withSandbox(global.root, record, (client) => client.guest.call(program));
  } catch (error) {
    if (openContainer(global.root, id).status !== "stopped") throw error;
    throw notRunning(error);
  }
  return 0;
}

function notRunning(cause?: unknown): RunvError {
  return new RunvError("CONTAINER_NOT_RUNNING", "container not running", { cause });
}
