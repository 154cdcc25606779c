import { RunvError } from "../../base/error";
import { signalProcess } from "../../linux/processes";
import { endingSignals, SIGKILL } from "../../linux/signals";
import type { KillOptions } from "../options";
import { openContainer } from "../record/open-record";
import { signalAll } from "./cgroup";

/** `runv kill` of a container on this host. @returns the exit code */
export async function killOnHost({ global, id, signal, all }: KillOptions): Promise<number> {
  const { record, status } = openContainer(global.root, id);
  // As runc: killing all of what has ended is done already.
  if (status === "stopped" && all) return 0;
  if (status === "stopped" || status === "creating") throw notRunning();
  if (all) {
    signalAll(record.cgroup, signal);
    return 0;
  }
  // Who waits to be started takes no signal, as the first process of a pid namespace takes none that it has no handler for.
  const sent = status === "created" && endingSignals.includes(signal) ? SIGKILL : signal;
  if (!signalProcess(record.shim!, sent)) throw notRunning();
  return 0;
}

function notRunning(): RunvError {
  return new RunvError("CONTAINER_NOT_RUNNING", "container not running");
}
