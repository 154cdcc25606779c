/** Which processes runv keeps for a container, from its record on disk. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Process ids. */
export interface Processes {
  qemu: number;
  monitor: number;
  shim: number;
}

/** @param root where runv keeps its state */
export function readProcesses(root: string, id: string): Processes {
  const record = JSON.parse(readFileSync(join(root, id, "state.json"), "utf8"));
  return { qemu: record.machine.pid, monitor: record.monitor.pid, shim: record.shim.pid };
}
