import { RunvError } from "../../base/error";
import { print } from "../../base/output";
import type { PsOptions } from "../options";
import { onlyProcesses } from "../ps-table";
import { openContainer } from "../record/open-record";
import { runHostPs } from "../run-ps";
import { containerProcesses } from "./cgroup";

/** `runv ps` of a container on this host: the processes in its cgroup. @returns the exit code */
export async function listOnHost({ global, id, format, psArgs }: PsOptions): Promise<number> {
  const { record, status } = openContainer(global.root, id);
  if (status === "creating") throw new RunvError("CONTAINER_NOT_RUNNING", "container not running");
  const pids = containerProcesses(record.cgroup);
  if (format === "json") print(`${JSON.stringify(pids.length === 0 ? null : pids)}\n`);
  else print(onlyProcesses(await runHostPs(psArgs), new Set(pids.map(String))));
  return 0;
}
