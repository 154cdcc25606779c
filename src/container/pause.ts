import { RunvError } from "../base/error";
import { freeze } from "../guest/freeze";
import type { Status } from "../oci/state";
import { withLock } from "./lock";
import { openContainer, withSandbox } from "./open";
import type { ContainerOptions } from "./options";
import { writeRecord } from "./store";

/** `runv pause`. @returns the exit code */
export function pauseContainer(options: ContainerOptions): Promise<number> {
  return setPaused(options, true, ["running", "created"], "container not running");
}

/** `runv resume`. @returns the exit code */
export function resumeContainer(options: ContainerOptions): Promise<number> {
  return setPaused(options, false, ["paused"], "container not paused");
}

async function setPaused(
  { global, id }: ContainerOptions,
  paused: boolean,
  from: readonly Status[],
  otherwise: string,
): Promise<number> {
  await withLock(global.root, id, async () => {
    const { record, status } = openContainer(global.root, id);
    if (!from.includes(status)) throw new RunvError("CONTAINER_STATE", otherwise);
    const changed = { ...record, paused };
    await withSandbox(global.root, record, async ({ guest }) => {
      // What is recorded is so, on a full disk too: a pause that cannot be recorded is undone, a resume is not begun.
      if (!paused) writeRecord(global.root, changed);
      try {
        await guest.call(freeze(id, paused));
      } catch (error) {
        if (!paused) writeRecord(global.root, record);
        throw error;
      }
      try {
        if (paused) writeRecord(global.root, changed);
      } catch (error) {
        await guest.call(freeze(id, false));
        throw error;
      }
    });
  });
  return 0;
}
