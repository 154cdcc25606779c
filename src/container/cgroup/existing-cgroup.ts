import { readFileSync } from "node:fs";
import { RunvError } from "../../base/error";
import { log } from "../../base/log";

/**
 * Looks at a cgroup that a container is to have and that may be there already, as runc does: one that is frozen would freeze the
 * container's own beginning, and one that others are in is theirs as well.
 * @param directories of the cgroup
 * @param alone others in it are an error: all that is in it is to be the container's, and is stopped and killed as such
 * @throws RunvError CGROUP when it is frozen
 */
export function checkExistingCgroup(directories: readonly string[], alone = false): void {
  for (const directory of directories) {
    const state = read(`${directory}/freezer.state`) ?? read(`${directory}/cgroup.freeze`);
    if (state === undefined || state === "THAWED" || state === "0") continue;
    throw new RunvError("CGROUP", "container's cgroup unexpectedly frozen", { hint: `${directory} is frozen` });
  }
  const processes = Math.max(0, ...directories.map(countProcesses));
  if (processes === 0) return;
  const says = `container's cgroup is not empty: ${processes} process(es) found`;
  if (alone) throw new RunvError("CGROUP", says, { hint: "name another in linux.cgroupsPath" });
  log.warn(says);
}

function countProcesses(directory: string): number {
  return read(`${directory}/cgroup.procs`)?.split("\n").filter(Boolean).length ?? 0;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}
