/** What a guest's kernel needs that is never a module: options of its configuration. */
import { existsSync, readFileSync } from "node:fs";
import { findConfig } from "./kernel-files";

export interface OptionGroup {
  /** What a guest cannot do without them, for people. */
  use: string;
  /** Without CONFIG_. */
  names: readonly string[];
}

export const optionGroups: readonly OptionGroup[] = Object.entries({
  namespaces: "UTS_NS IPC_NS PID_NS NET_NS USER_NS TIME_NS",
  "control groups and their limits": "CGROUPS MEMCG CGROUP_PIDS CPUSETS CFS_BANDWIDTH BLK_CGROUP BLK_DEV_THROTTLING",
  "rules for devices": "BPF_SYSCALL CGROUP_BPF",
  seccomp: "SECCOMP_FILTER",
  keyrings: "KEYS",
  "shared memory and message queues": "SYSVIPC POSIX_MQUEUE TMPFS",
  terminals: "UNIX98_PTYS",
  "huge pages": "HUGETLBFS",
  "memory given back as it is freed": "PAGE_REPORTING",
  "processors and memory added": "HOTPLUG_CPU MEMORY_HOTPLUG",
}).map(([use, names]) => ({ use, names: names.split(" ") }));

/**
 * The text of a kernel's configuration.
 * @param modules the directory of its modules
 * @param running where the kernel that runs here shows its own, if it is that one: /proc/config.gz
 * @returns undefined when it is nowhere
 */
export function readConfig(modules: string, release: string, running?: string): string | undefined {
  const file = findConfig(modules, release);
  if (file !== undefined) return readFileSync(file, "utf8");
  if (running === undefined || !existsSync(running)) return undefined;
  return Buffer.from(Bun.gunzipSync(readFileSync(running))).toString("utf8");
}

/** The names of options that a kernel of this configuration has not, of those that somebody would miss. */
export function optionsLackingIn(config: string): string[] {
  const lines = new Set(config.split("\n"));
  return optionGroups.flatMap(({ names }) => names).filter((name) => !lines.has(`CONFIG_${name}=y`));
}
