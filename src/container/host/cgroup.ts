/** All processes of a container on this host, by its cgroup. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { RunvError } from "../../base/error";
import { identityOf } from "../../linux/identity";
import { signalProcess } from "../../linux/processes";
import { SIGKILL } from "../../linux/signals";
import { processesIn } from "../cgroup/host-cgroup";

/** The cgroup by which the container is stopped and its processes are found: of version 1 the freezer's, of version 2 the only one. */
function mainCgroup(directories: readonly string[]): string | undefined {
  return directories.find((path) => freezerFile(path) !== undefined) ?? directories[0];
}

/** The processes of a container, in its cgroup and those below. */
export function containerProcesses(directories: readonly string[]): number[] {
  const main = mainCgroup(directories);
  return main === undefined ? [] : cgroupsBelow(main).flatMap(processesIn);
}

/** Sends a signal to all processes of a container, also to those that it starts meanwhile. */
export function signalAll(directories: readonly string[], signal: number): void {
  const main = mainCgroup(directories);
  if (main === undefined) return;
  // One write is all, since Linux 5.14 (Documentation/admin-guide/cgroup-v2.rst, "cgroup.kill").
  if (signal === SIGKILL && existsSync(`${main}/cgroup.kill`)) {
    writeFileSync(`${main}/cgroup.kill`, "1");
    return;
  }
  const file = freezerFile(main);
  const stop = file !== undefined && !isFrozen(directories);
  if (stop) freeze(directories, true);
  try {
    for (const pid of containerProcesses(directories)) {
      const identity = identityOf(pid);
      if (identity !== undefined) signalProcess(identity, signal);
    }
  } finally {
    if (stop || (file !== undefined && signal === SIGKILL)) freeze(directories, false);
  }
}

/** How often is looked whether all processes of a cgroup have stopped, and how long they may take, in milliseconds. */
const [lookMs, freezeTimeoutMs] = [1, 2_000];

/** Whether the container is frozen. */
export function isFrozen(directories: readonly string[]): boolean {
  const main = mainCgroup(directories);
  const file = main && freezerFile(main);
  if (file === undefined) return false;
  return ["FROZEN", "FREEZING", "1"].includes(readFileSync(file, "latin1").trim());
}

/** Stops all processes of a container, or lets them go on. @throws RunvError CGROUP */
export function freeze(directories: readonly string[], frozen: boolean): void {
  const main = mainCgroup(directories);
  const file = main && freezerFile(main);
  if (file === undefined) {
    throw new RunvError("CGROUP", "pause the container: this host has no cgroup hierarchy with a freezer", {
      hint: "mount it: mount -t cgroup -o freezer freezer /sys/fs/cgroup/freezer",
    });
  }
  const legacy = file.endsWith("freezer.state");
  const [word, state] = legacy
    ? [frozen ? "FROZEN" : "THAWED", frozen ? "FROZEN" : "THAWED"]
    : frozen
      ? ["1", "frozen 1"]
      : ["0", "frozen 0"];
  const reached = () => readFileSync(legacy ? file : `${main}/cgroup.events`, "latin1").includes(state!);
  const deadline = performance.now() + freezeTimeoutMs;
  do {
    // Who forks meanwhile has version 1 stop halfway: it is asked again.
    writeFileSync(file, word!);
    if (reached()) return;
    Bun.sleepSync(lookMs);
  } while (performance.now() < deadline);
  if (frozen) writeFileSync(file, legacy ? "THAWED" : "0");
  throw new RunvError(
    "CGROUP",
    `${frozen ? "freeze" : "thaw"} ${main}: its processes do not ${frozen ? "stop" : "go on"}`,
  );
}

function freezerFile(directory: string): string | undefined {
  return [`${directory}/freezer.state`, `${directory}/cgroup.freeze`].find((path) => existsSync(path));
}

/** A cgroup and all below it. */
export function cgroupsBelow(directory: string): string[] {
  try {
    const inner = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [directory, ...inner.flatMap(({ name }) => cgroupsBelow(`${directory}/${name}`))];
  } catch {
    return [];
  }
}
