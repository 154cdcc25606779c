/** `exec --cgroup`: a cgroup that a container has made below its own. */
import { posix } from "node:path";
import { RunvError } from "../../base/error";

/** What version 1 has hierarchies for. The guest has one for all. */
const controllers = new Set(
  "blkio cpu cpuacct cpuset devices freezer hugetlb io memory misc net_cls net_prio perf_event pids rdma".split(" "),
);

/**
 * Reads the flags, `[<controllers>:]<path>`.
 * @returns the path below the container's cgroup, empty for that itself; undefined without flags
 * @throws RunvError USAGE in runc's words; UNSUPPORTED for different cgroups at once
 */
export function subCgroup(flags: readonly string[]): string | undefined {
  const paths = new Set(flags.map((flag) => pathOf(flag, flags.length)));
  if (paths.size > 1) {
    throw new RunvError("UNSUPPORTED", `--cgroup ${flags.join(" --cgroup ")}: the guest has one cgroup hierarchy`, {
      hint: "name the same cgroup for all controllers",
    });
  }
  const [path] = paths;
  return path;
}

function pathOf(flag: string, count: number): string {
  const parts = flag.split(":");
  if (parts.length > 2) throw new RunvError("USAGE", `invalid --cgroup argument: ${flag}`);
  const [names, path = flag] = parts.length === 2 ? parts : [undefined, flag];
  if (names === undefined && count > 1) {
    throw new RunvError("USAGE", `invalid --cgroup argument: ${flag} (missing <controller>: prefix)`);
  }
  const unknown = names?.split(",").find((name) => !controllers.has(name));
  if (unknown !== undefined) throw new RunvError("USAGE", `unknown controller ${unknown} in --cgroup ${flag}`);
  const normal = posix.join("/own", path);
  if (normal !== "/own" && normal !== "/own/" && !normal.startsWith("/own/")) {
    throw new RunvError("USAGE", `bad sub cgroup path: ${path}`);
  }
  return normal.slice("/own/".length).replace(/\/$/, "");
}
