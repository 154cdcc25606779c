import { RunvError } from "../base/error";
import { print } from "../base/output";
import { decodeProcesses, type ProcSnapshot, readProcesses } from "../guest/processes";
import { runningCommand } from "../sandbox/background";
import { processesIn } from "./cgroup/host-cgroup";
import type { Format, PsOptions } from "./options";
import { onlyProcesses } from "./ps-table";
import { openContainer, withSandbox } from "./record/open";
import type { ContainerRecord } from "./record/store";
import { runHostPs, runPs } from "./run-ps";

/**
 * `runv ps`. In JSON it lists processes of the host, as callers expect who look them up there: the container's shims. As a table it
 * shows what ps(1) says of the processes in the guest.
 * @returns the exit code
 */
export async function listProcesses({ global, id, format, psArgs }: PsOptions): Promise<number> {
  const { record, status } = openContainer(global.root, id);
  if (status === "creating") throw new RunvError("CONTAINER_NOT_RUNNING", "container not running");
  if (status === "stopped") return await listNone(format, psArgs);
  if (format === "json") {
    print(`${JSON.stringify(shimsOf(record))}\n`);
    return 0;
  }
  let snapshot: ProcSnapshot;
  try {
    const output = await withSandbox(global.root, record, (client) => client.guest.call(readProcesses(id)));
    snapshot = decodeProcesses(output);
  } catch (error) {
    if (openContainer(global.root, id).status !== "stopped") throw error;
    return await listNone(format, psArgs);
  }
  print(onlyProcesses(await runPs(snapshot, psArgs), pidsOf(snapshot)));
  return 0;
}

/** The processes that stand for the container's first process and for those that `exec` started. */
function shimsOf({ id, shim, cgroup: [directory] }: ContainerRecord): number[] {
  const others = directory === undefined ? [] : processesIn(directory);
  const first = shim === undefined ? [] : [shim.pid];
  return [...new Set([...first, ...others.filter((pid) => runningCommand(pid) === `shim ${id}`)])];
}

/** A container that has ended has no processes: the header says so, as runc's. */
async function listNone(format: Format, psArgs: readonly string[]): Promise<number> {
  print(format === "json" ? "null\n" : onlyProcesses(await runHostPs(psArgs), new Set()));
  return 0;
}

function pidsOf(snapshot: ProcSnapshot): Set<string> {
  return new Set(
    [...snapshot.keys()].flatMap((path) => (path.includes("/") ? [path.slice(0, path.indexOf("/"))] : [])),
  );
}
