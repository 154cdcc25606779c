import { closeSync } from "node:fs";
import { lowerExec } from "../../guest/lower/exec";
import { syscall } from "../../linux/local";
import { setTermios, termiosOf } from "../../linux/terminal";
import type { Process } from "../../oci/process";
import { cgroupsOf } from "../cgroup/host-cgroup";
import { subCgroup } from "../cgroup/sub-cgroup";
import { execProcessOf } from "../exec-request";
import { passwdOf, withEnvironment } from "../making/environment";
import type { ExecOptions } from "../options";
import { openRunning } from "../record/open-record";
import type { ContainerRecord } from "../record/store";
import { announce } from "../shim/announce";
import { checkConsole, keepsOnlcr } from "../shim/console";
import { sendTerminal, sizedAsCaller } from "./console";
import { hostGround } from "./ground";
import { requirePreserved } from "./preserved";
import { GivenDescriptors, HostProcess } from "./process";
import { assertHostExec, assertHostProcess } from "./refuse";
import { attendProcess, passSignals } from "./run";

/** `runv exec` in a container on this host. @returns the exit code: the process's, or 0 when it is left to itself */
export async function execOnHost(options: ExecOptions): Promise<number> {
  const { global, id, detach, consoleSocket } = options;
  assertHostExec(options);
  requirePreserved(options.preserveFds);
  const record = openRunning(global.root, id, options.ignorePaused);
  const asked = withEnvironment(execProcessOf(options, record), passwdOf(record));
  const process = sizedAsCaller(asked, detach);
  assertHostProcess(process, "process");
  checkConsole(process, consoleSocket, detach);
  const termios = detach ? undefined : termiosOf(0);
  let started: HostProcess | undefined;
  // Before it starts: what it says may have a caller send a signal at once.
  if (!detach) passSignals(() => started);
  try {
    started = start(options, record, process);
    try {
      started.next();
      if (consoleSocket !== undefined) sendTerminal(started, consoleSocket);
      announce(started.pid, options);
    } catch (error) {
      started.kill();
      throw error;
    }
    started.leave();
    return detach ? 0 : await attendProcess(started);
  } finally {
    if (termios !== undefined) setTermios(0, termios);
  }
}

/** Starts the program that enters the container and becomes the command. */
function start(options: ExecOptions, record: ContainerRecord, process: Process): HostProcess {
  const { id, namespaces, settings, cgroup, shim } = record;
  const given = new GivenDescriptors(options.preserveFds);
  const init = syscall("pidfd_open", shim!.pid, 0);
  try {
    const ground = hostGround({
      id,
      cgroups: cgroupsOf(cgroup),
      waitsAtBirth: false,
      keyring: record.sharesKeyring !== true,
      words: given.words,
      detach: options.detach,
      profile: process.apparmorProfile,
    });
    const program = lowerExec({
      ...{ id, ground, namespaces, process, settings },
      init: given.give(init),
      subCgroup: subCgroup(options.cgroups),
      onlcr: keepsOnlcr(options.detach),
      credit: 0,
    });
    return HostProcess.start(program, given);
  } finally {
    closeSync(init);
  }
}
