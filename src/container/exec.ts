import { RunvError } from "../base/error";
import { lowerExec } from "../guest/lower/exec";
import { setTermios, termiosOf } from "../linux/terminal";
import { loadProcess } from "../oci/bundle";
import { type Capability, knownCapabilities } from "../oci/capabilities";
import type { Process } from "../oci/process";
import { controlSocket, sandboxDirectory } from "../sandbox/paths";
import { announce, refusePreservedFds } from "./announce";
import { exitCodeOf, passSignals } from "./attend";
import { checkConsole, openStdio } from "./console";
import { withHome } from "./environment";
import { joinHostCgroup } from "./host-cgroup";
import { initOf, openContainer } from "./open";
import type { ExecOptions } from "./options";
import { outputCredit } from "./pump";
import { ShimHandle } from "./spawn-shim";
import type { ContainerRecord } from "./store";
import { subCgroup } from "./sub-cgroup";

/** `runv exec`. @returns the exit code: the process's, or 0 when it is left to itself */
export async function execInContainer(options: ExecOptions): Promise<number> {
  const { global, id, detach, consoleSocket } = options;
  refusePreservedFds(options);
  const { record, status } = openContainer(global.root, id);
  if (status === "paused" && !options.ignorePaused) {
    throw new RunvError("CONTAINER_PAUSED", `cannot exec in a paused container (use --ignore-paused to override)`);
  }
  if (status !== "running" && status !== "created" && status !== "paused") {
    throw new RunvError("CONTAINER_NOT_RUNNING", `cannot exec in a ${status} container`);
  }
  const process = withHome(processOf(options, record), record.rootfs);
  checkConsole(process, consoleSocket, detach);
  const { namespaces, settings } = record;
  const inside = { id, init: initOf(record), subCgroup: subCgroup(options.cgroups), namespaces, settings };
  const program = lowerExec({ ...inside, process, credit: outputCredit });
  const termios = detach ? undefined : termiosOf(0);
  const { stdio, close } = openStdio(process, consoleSocket);
  const shim = await ShimHandle.start(id, stdio).finally(close);
  try {
    joinHostCgroup(record.cgroup, shim.identity.pid);
    // Before it starts: what it says may have a caller send a signal at once.
    if (!detach) passSignals(shim);
    const control = controlSocket(sandboxDirectory(global.root, record.sandbox));
    await shim.begin({ control, terminal: process.terminal, foreground: !detach }, program);
    announce(shim.identity.pid, options);
    shim.release();
    return detach ? 0 : await exitCodeOf(shim);
  } catch (error) {
    await shim.kill();
    throw error;
  } finally {
    if (termios !== undefined) setTermios(0, termios);
  }
}

/** The process that the flags describe: that of a file, or the container's own with what they change. */
function processOf(options: ExecOptions, { process: own }: ContainerRecord): Process {
  if (options.process !== undefined) return loadProcess(options.process);
  if (options.command.length === 0) {
    throw new RunvError("USAGE", "process args cannot be empty");
  }
  const { cwd = own.cwd, user, tty, env, additionalGids, noNewPrivs } = options;
  const { consoleSize: _, ...rest } = own;
  return {
    ...rest,
    args: options.command,
    cwd,
    terminal: tty,
    env: [...own.env, ...env],
    noNewPrivileges: own.noNewPrivileges || noNewPrivs,
    user: {
      ...own.user,
      ...(user && { uid: user.uid, gid: user.gid ?? own.user.gid }),
      additionalGids: [...own.user.additionalGids, ...additionalGids],
    },
    capabilities: withCapabilities(own.capabilities ?? {}, options.capabilities),
  };
}

/** Adds capabilities to the sets that runc's `exec --cap` adds them to. */
function withCapabilities(own: NonNullable<Process["capabilities"]>, names: readonly string[]) {
  const added = knownCapabilities(names);
  const add = (set: readonly Capability[] = []) => [...new Set([...set, ...added])];
  if (added.length === 0) return own;
  const { bounding, effective, permitted } = own;
  return { ...own, bounding: add(bounding), effective: add(effective), permitted: add(permitted) };
}
