/** What `exec` is asked for: a process, described by its flags. */
import { RunvError } from "../base/error";
import { loadProcess } from "../oci/bundle";
import { type Capability, knownCapabilities } from "../oci/capabilities";
import { environmentProblem } from "../oci/environment";
import type { Process } from "../oci/process";
import type { ExecOptions } from "./options";
import type { ContainerRecord } from "./record/store";

/** The process that the flags describe: that of a file, or the container's own with what they change. */
export function execProcessOf(options: ExecOptions, { process: own }: ContainerRecord): Process {
  if (options.process !== undefined) return loadProcess(options.process);
  if (options.command.length === 0) {
    throw new RunvError("USAGE", "process args cannot be empty");
  }
  const { cwd = own.cwd, user, tty, env, additionalGids, noNewPrivs, apparmor } = options;
  checkFlags(cwd, env, additionalGids);
  const { consoleSize: _, ...rest } = own;
  return {
    ...rest,
    args: options.command,
    cwd,
    terminal: tty,
    env: [...own.env, ...env],
    ...(apparmor !== undefined && { apparmorProfile: apparmor }),
    noNewPrivileges: own.noNewPrivileges || noNewPrivs,
    user: {
      ...own.user,
      ...(user && { uid: user.uid, gid: user.gid ?? own.user.gid }),
      additionalGids: [...own.user.additionalGids, ...additionalGids],
    },
    capabilities: withCapabilities(own.capabilities ?? {}, options.capabilities),
  };
}

/** Flags are checked as config.json is. @throws RunvError USAGE */
function checkFlags(cwd: string, env: readonly string[], additionalGids: readonly number[]): void {
  if (!cwd.startsWith("/")) throw new RunvError("USAGE", `--cwd ${JSON.stringify(cwd)}: Cwd must be an absolute path`);
  for (const entry of env) {
    const problem = environmentProblem(entry);
    if (problem !== undefined) throw new RunvError("USAGE", `--env ${JSON.stringify(entry)}: ${problem}`);
  }
  const notOne = additionalGids.find((gid) => gid < 0 || gid > 0xffff_ffff);
  if (notOne !== undefined) throw new RunvError("USAGE", `--additional-gids ${notOne}: not from 0 to 4294967295`);
}

/** Adds capabilities to the sets that runc's `exec --cap` adds them to. */
function withCapabilities(own: NonNullable<Process["capabilities"]>, names: readonly string[]) {
  const added = knownCapabilities(names);
  const add = (set: readonly Capability[] = []) => [...new Set([...set, ...added])];
  if (added.length === 0) return own;
  const { bounding, effective, permitted, inheritable = [], ambient = [] } = own;
  // As runc: what is inheritable too stays with a process that is not root.
  const kept = added.filter((name) => inheritable.includes(name));
  return {
    ...own,
    bounding: add(bounding),
    effective: add(effective),
    permitted: add(permitted),
    ambient: [...new Set([...ambient, ...kept])],
  };
}
