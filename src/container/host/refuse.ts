/** What a container of this host cannot have, or not yet: refused by the name of its field. */
import { RunvError } from "../../base/error";
import { hasAppArmor } from "../../linux/apparmor";
import type { Config } from "../../oci/config";
import { refusedOptions } from "../../oci/mount-options";
import { findNamespace } from "../../oci/namespaces";
import type { Process } from "../../oci/process";
import type { CreateOptions, ExecOptions } from "../options";

/** @throws RunvError UNSUPPORTED, USAGE */
export function assertHostOptions({ global, attended }: Pick<CreateOptions, "global" | "attended">): void {
  if (process.getuid?.() !== 0) {
    throw new RunvError("UNSUPPORTED", "--driver host: runv is started by another user than root", {
      hint: "sudo runv …; there is no rootless mode yet",
    });
  }
  if (attended !== undefined) {
    throw new RunvError("UNSUPPORTED", "--driver host: runv's daemons and its containerd shim start machines only", {
      hint: "with containerd use the runtime io.containerd.runc.v2 and BinaryName = runv; 'runv create' starts it",
    });
  }
  const options = Object.keys(global.driverOptions);
  const given = [
    ...(["kernel", "initrd", "template", "pool"] as const).filter((name) => global[name] !== undefined),
    ...(global.noTemplate ? ["no-template"] : []),
    ...(global.defaultCpus === undefined ? [] : ["default_cpus"]),
    ...(global.defaultMemory === undefined ? [] : ["default_memory"]),
    ...options,
  ];
  if (given.length > 0) {
    throw new RunvError("UNSUPPORTED", `--${given[0]} is about a virtual machine, and --driver host makes none`, {
      hint: "leave one of the two out",
    });
  }
}

/** Of the flags of `exec`. @throws RunvError UNSUPPORTED */
export function assertHostExec({ processLabel }: Pick<ExecOptions, "processLabel">): void {
  if (processLabel !== undefined) refuse("UNSUPPORTED", "--process-label", labels);
}

/** @throws RunvError CONFIG_UNSUPPORTED, the path of the field first */
export function assertHostSupports({ mounts, linux, process }: Config): void {
  for (const [index, mount] of mounts.entries()) {
    if (mount.options.some((option) => refusedOptions.includes(option))) {
      unsupported(`mounts[${index}].options`, "remount: every mount is a new one");
    }
  }
  assertHostProcess(process, "process");
  const { seccomp, namespaces } = linux;
  const notify = "SCMP_ACT_NOTIFY is not supported by the driver host yet";
  if (seccomp?.defaultAction === "SCMP_ACT_NOTIFY") unsupported("linux.seccomp.defaultAction", notify);
  const rule = seccomp?.syscalls.findIndex(({ action }) => action === "SCMP_ACT_NOTIFY") ?? -1;
  if (rule >= 0) unsupported(`linux.seccomp.syscalls[${rule}].action`, notify);
  if (linux.intelRdt !== undefined) unsupported("linux.intelRdt", notYet);
  if (linux.mountLabel !== undefined) unsupported("linux.mountLabel", labels);
  if (Object.keys(linux.netDevices ?? {}).length > 0) unsupported("linux.netDevices", notYet);
  if ((linux.personality?.flags ?? []).length > 0) unsupported("linux.personality.flags", "there are none yet");
  if (findNamespace(namespaces, "mount") === undefined) {
    unsupported("linux.namespaces", "a container without a mount namespace of its own would mount in the host's");
  }
  for (const type of ["mount", "user"] as const) {
    if (findNamespace(namespaces, type)?.path === undefined) continue;
    const index = namespaces.findIndex((namespace) => namespace.type === type);
    unsupported(
      `linux.namespaces[${index}].path`,
      `joining a ${type} namespace is not supported by the driver host yet`,
    );
  }
}

/** Of a process. @param where the path of its field @throws RunvError CONFIG_UNSUPPORTED */
export function assertHostProcess({ apparmorProfile, selinuxLabel }: Process, where: string): void {
  if (apparmorProfile !== undefined && !hasAppArmor()) {
    unsupported(`${where}.apparmorProfile`, `${JSON.stringify(apparmorProfile)}: this host has no AppArmor`);
  }
  if (selinuxLabel !== undefined) unsupported(`${where}.selinuxLabel`, labels);
}

const notYet = "is not supported by the driver host yet";
const labels =
  "the driver host sets no labels of SELinux yet, and without them the container would be less confined than asked for";

function unsupported(path: string, says: string): never {
  refuse("CONFIG_UNSUPPORTED", path, says);
}

function refuse(code: string, what: string, says: string): never {
  throw new RunvError(code, `${what}: ${says}`);
}
