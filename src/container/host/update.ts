import { RunvError } from "../../base/error";
import { cgroupsOf } from "../cgroup/host-cgroup";
import { changedLimits, mergedLimits, wantedLimits } from "../changed-limits";
import type { UpdateOptions } from "../options";
import { withLock } from "../record/lock";
import { openContainer } from "../record/open-record";
import { changeRecord } from "../record/store";
import { setLimits } from "./limits";

/** `runv update` of a container on this host: all limits are changed, or none. @returns the exit code @throws RunvError CGROUP, CONFIG_UNSUPPORTED */
export async function updateOnHost(options: UpdateOptions): Promise<number> {
  const {
    global: { root },
    id,
  } = options;
  const wanted = wantedLimits(options);
  await withLock(root, id, async () => {
    const { record, status } = openContainer(root, id);
    if (status === "stopped" || status === "creating") {
      throw new RunvError("CONTAINER_NOT_RUNNING", "container not running");
    }
    const change = changedLimits(wanted, record.resources);
    const changed = { ...record, resources: mergedLimits(record.resources, change) };
    await changeRecord(
      root,
      changed,
      async () => setLimits(cgroupsOf(record.cgroup), change),
      async (putBack) => putBack(),
    );
  });
  return 0;
}
