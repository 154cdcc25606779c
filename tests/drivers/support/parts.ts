/** What runv has recorded of a container. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Rig } from "../../support/rig";

/** The ids of a container's processes; the machine's is undefined where it is no process of this host. */
export function partsOf({ root }: Rig, id: string): { shim: number; monitor: number; machine: number | undefined } {
  const { shim, monitor, machine } = JSON.parse(readFileSync(join(root, id, "state.json"), "utf8"));
  return { shim: shim.pid, monitor: monitor.pid, machine: machine?.pid };
}

export async function statusOf({ runv }: Rig, id: string): Promise<string> {
  return JSON.parse((await runv(["state", id])).stdout).status;
}
