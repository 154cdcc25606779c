import { RunvError } from "../../base/error";
import type { Status } from "../../oci/state";
import type { ContainerOptions } from "../options";
import { withLock } from "../record/lock";
import { openContainer } from "../record/open-record";
import { changeRecord } from "../record/store";
import { freeze } from "./cgroup";

/** `runv pause` of a container on this host. @returns the exit code */
export function pauseOnHost(options: ContainerOptions): Promise<number> {
  return setPaused(options, true, ["running", "created"], "container not running");
}

/** `runv resume` of a container on this host. @returns the exit code */
export function resumeOnHost(options: ContainerOptions): Promise<number> {
  return setPaused(options, false, ["paused"], "container not paused");
}

async function setPaused(
  { global: { root }, id }: ContainerOptions,
  paused: boolean,
  from: readonly Status[],
  otherwise: string,
): Promise<number> {
  await withLock(root, id, async () => {
    const { record, status } = openContainer(root, id);
    if (!from.includes(status)) throw new RunvError("CONTAINER_STATE", otherwise);
    const set = async (to: boolean) => freeze(record.cgroup, to);
    await changeRecord(
      root,
      { ...record, paused },
      () => set(paused),
      () => set(!paused),
    );
  });
  return 0;
}
