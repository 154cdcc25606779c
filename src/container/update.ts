import { RunvError } from "../base/error";
import { cgroupFiles } from "../guest/lower/resources";
import { updateCgroup } from "../guest/update-cgroup";
import type { Resources } from "../oci/resources";
import type { SandboxClient } from "../sandbox/client";
import { shapeFor } from "../sandbox/shape";
import { changeHostLimits } from "./cgroup/host-limits";
import { changedLimits, mergedLimits, wantedLimits } from "./changed-limits";
import { othersIn } from "./making/pod";
import type { UpdateOptions } from "./options";
import { withLock } from "./record/lock";
import { openContainer, withSandbox } from "./record/open";
import { type ContainerRecord, changeRecord } from "./record/store";

/**
 * `runv update`: changes the limits of a container, in the guest and on the host, and gives its machine what it needs for them. All
 * of them are changed, or none.
 * @returns the exit code
 */
export async function updateContainer(options: UpdateOptions): Promise<number> {
  const { global, id } = options;
  const wanted = wantedLimits(options);
  await withLock(global.root, id, async () => {
    const { record, status } = openContainer(global.root, id);
    if (status === "stopped" || status === "creating") {
      throw new RunvError("CONTAINER_NOT_RUNNING", "container not running");
    }
    const change = changedLimits(wanted, record.resources);
    const files = cgroupFiles(change);
    await withSandbox(global.root, record, async (client) => {
      const others = othersIn(global.root, record).map(({ resources }) => resources);
      const changed = { ...record, resources: mergedLimits(record.resources, change) };
      const inBoth = async () => {
        const undo = await makeRoom(client, record, change, others);
        try {
          if (files.length > 0) await client.guest.call(updateCgroup(id, files));
        } catch (error) {
          undo();
          throw error;
        }
        return undo;
      };
      await changeRecord(global.root, changed, inBoth, async (undo) => {
        undo();
        const before = record.resources === undefined ? [] : cgroupFiles(changedLimits(record.resources, undefined));
        if (before.length > 0) await client.guest.call(updateCgroup(id, before));
      });
    });
  });
  return 0;
}

/**
 * What a machine needs room for: a container's new limits and what its other containers are limited to. A change that says nothing
 * of processors or memory needs none.
 */
export function combined(change: Resources, others: readonly (Resources | undefined)[]): Resources {
  const all = [change, ...others];
  const sum = (of: (resources: Resources) => number) =>
    all.reduce((total, resources) => total + Math.max(0, resources === undefined ? 0 : of(resources)), 0);
  const share = ({ cpu }: Resources) => ((cpu?.quota ?? 0) * commonPeriod) / (cpu?.period || commonPeriod);
  const memory = (change.memory?.limit ?? 0) > 0 ? sum(({ memory }) => memory?.limit ?? 0) : 0;
  const quota = share(change) > 0 ? Math.ceil(sum(share)) : 0;
  return { devices: [], hugepageLimits: [], memory: { limit: memory }, cpu: { quota, period: commonPeriod } };
}

const commonPeriod = 100_000;

/**
 * Changes the limits of the host, and has the machine grow to what the change needs. A machine that has grown stays so.
 * @returns a function that puts the host's limits back
 */
async function makeRoom(
  client: SandboxClient,
  { cgroup }: ContainerRecord,
  change: Resources,
  others: readonly (Resources | undefined)[],
): Promise<() => void> {
  const { size, most, ownMemoryMiB } = await client.info();
  const wanted = shapeFor(combined(change, others), size);
  // A quota of more processors than the host has is as good as one of all.
  const need = {
    cpus: Math.max(size.cpus, Math.min(wanted.cpus, most.cpus)),
    memoryMiB: Math.max(size.memoryMiB, wanted.memoryMiB),
  };
  if (need.memoryMiB > most.memoryMiB) {
    const message = `memory of ${need.memoryMiB} MiB for the virtual machine: it can have ${most.memoryMiB} MiB at most`;
    throw new RunvError("VM_FULL", message, { hint: "that is what the host has" });
  }
  const undo = changeHostLimits(cgroup, change, need.memoryMiB + ownMemoryMiB);
  try {
    if (need.cpus > size.cpus || need.memoryMiB > size.memoryMiB) await client.grow(need);
  } catch (error) {
    undo();
    throw error;
  }
  return undo;
}
