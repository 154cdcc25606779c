import { RunvError } from "../../base/error";
import { log } from "../../base/log";
import { loadResources } from "../../oci/bundle";
import { readDocument } from "../../oci/mismatch";
import { resources } from "../../oci/resources";
import { cgroupsOf } from "../cgroup/host-cgroup";
import { changedLimits, mergedLimits } from "../changed-limits";
import type { UpdateOptions } from "../options";
import { withLock } from "../record/lock";
import { openContainer } from "../record/open-record";
import { changeRecord } from "../record/store";
import { setLimits } from "./limits";

/** `runv update` of a container on this host: all limits are changed, or none. @returns the exit code @throws RunvError CGROUP, CONFIG_UNSUPPORTED */
export async function updateOnHost({ global: { root }, id, file, limits }: UpdateOptions): Promise<number> {
  const wanted = file === undefined ? readDocument(resources, limits) : loadResources(file);
  if (wanted.memory?.kernel || wanted.memory?.kernelTCP) {
    log.warn("Kernel memory settings are ignored and will be removed");
  }
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
