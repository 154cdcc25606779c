import { RunvError } from "../base/error";
import { freeze } from "../guest/freeze";
import type { Status } from "../oci/state";
import type { ContainerOptions } from "./options";
import { withLock } from "./record/lock";
import { openContainer, withSandbox } from "./record/open";
import { changeRecord } from "./record/store";

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
    await withSandbox(global.root, record, async (client) => {
      const restored = record.branch?.restored === true;
      const set = async (to: boolean) =>
        void (await (restored && !to ? client.thaw(id) : client.guest.call(freeze(id, to))));
      await changeRecord(
        global.root,
        { ...record, paused },
        () => set(paused),
        () => set(!paused),
      );
    });
  });
  return 0;
}
