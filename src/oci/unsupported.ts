/**
 * What the specification allows and a container in a virtual machine cannot have. It is refused, not passed over: each
 * of these would promise something to somebody who relies on it.
 */
import { RunvError } from "../base/error";
import type { Config } from "./config";
import { refusedOptions } from "./mount-options";
import type { Resources } from "./resources";
import type { SeccompAction, SeccompFlag } from "./seccomp-names";

/** Whether seccomp filters with this action are made. A supervisor on the host cannot hold a guest's file descriptors. */
export function isSupportedAction(action: SeccompAction): boolean {
  return action !== "SCMP_ACT_NOTIFY";
}

/** Whether a seccomp flag has its effect; one that speaks of supervisors is accepted and has none. */
export function isSupportedFlag(flag: SeccompFlag): boolean {
  return flag !== "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
}

/**
 * Refuses a configuration that asks for what runv does not do.
 * @throws RunvError CONFIG_UNSUPPORTED, the path of the field first
 */
export function assertSupported({ mounts, linux }: Config): void {
  for (const [index, { options }] of mounts.entries()) {
    if (options.some((option) => refusedOptions.includes(option))) {
      unsupported(`mounts[${index}].options`, "remount: every mount is a new one");
    }
  }
  const { seccomp, intelRdt, netDevices = {} } = linux;
  const notify = "SCMP_ACT_NOTIFY is not supported: the supervisor would be outside the virtual machine";
  if (seccomp !== undefined) {
    if (!isSupportedAction(seccomp.defaultAction)) unsupported("linux.seccomp.defaultAction", notify);
    const rule = seccomp.syscalls.findIndex(({ action }) => !isSupportedAction(action));
    if (rule >= 0) unsupported(`linux.seccomp.syscalls[${rule}].action`, notify);
  }
  if (intelRdt !== undefined) unsupported("linux.intelRdt", "is not supported: a guest has no resctrl");
  if (Object.keys(netDevices).length > 0) unsupported("linux.netDevices", "host devices cannot move into a guest");
  if ((linux.personality?.flags ?? []).length > 0) unsupported("linux.personality.flags", "there are none yet");
  assertResources(linux.resources);
}

function assertResources({ cpu, network, rdma = {} }: Partial<Resources> = {}): void {
  const says = "is not supported: the guest has cgroup v2, which knows no such limit";
  if (cpu?.realtimeRuntime) unsupported("linux.resources.cpu.realtimeRuntime", says);
  if (cpu?.realtimePeriod) unsupported("linux.resources.cpu.realtimePeriod", says);
  if (network?.classID) unsupported("linux.resources.network.classID", says);
  if ((network?.priorities ?? []).length > 0) unsupported("linux.resources.network.priorities", says);
  if (Object.keys(rdma).length > 0) unsupported("linux.resources.rdma", "a guest has no RDMA devices");
}

function unsupported(path: string, says: string): never {
  throw new RunvError("CONFIG_UNSUPPORTED", `${path}: ${says}`);
}
