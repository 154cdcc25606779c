/** How a process is scheduled, and as what machine it sees itself (config.md, "Linux Process"; config-linux.md, "Personality"). */
import type { Linux } from "../../oci/linux";
import { type MemoryPolicy, memoryPolicyFlags, memoryPolicyModes } from "../../oci/memory-policy";
import type { Process } from "../../oci/process";
import {
  ioPriorityClasses,
  numberSet,
  numberSetBits,
  type Scheduler,
  schedulerFlags,
  schedulerPolicies,
} from "../../oci/scheduling";
import type { Assembler, Operand } from "../../program/assembler";

/** linux/personality.h, linux/ioprio.h */
const PER_LINUX = 0;
const PER_LINUX32 = 8;
const IOPRIO_WHO_PROCESS = 1;
const IOPRIO_CLASS_SHIFT = 13;
/** struct sched_attr in its first version (sched_setattr(2)). */
const schedAttrSize = 48;

/** Sets scheduler and I/O priority of a process, 0 the calling one; with the machine's capabilities. */
export function lowerScheduling(p: Assembler, { scheduler, ioPriority }: Process, pid: Operand): void {
  if (scheduler !== undefined) {
    p.doing(`set the scheduler ${scheduler.policy}`);
    p.syscall("sched_setattr", [pid, p.bytes(schedAttr(scheduler)), 0]);
  }
  if (ioPriority !== undefined) {
    p.doing(`set the I/O priority ${ioPriority.class} ${ioPriority.priority}`);
    const value = (ioPriorityClasses[ioPriority.class] << IOPRIO_CLASS_SHIFT) | ioPriority.priority;
    p.syscall("ioprio_set", [IOPRIO_WHO_PROCESS, pid, value]);
  }
}

/** The personality that a container's processes have; undefined for the machine's own. */
export function personalityOf({ personality }: Linux): number | undefined {
  return personality && (personality.domain === "LINUX32" ? PER_LINUX32 : PER_LINUX);
}

export function lowerPersonality(p: Assembler, personality: number | undefined): void {
  if (personality === undefined) return;
  p.doing("set the personality");
  p.syscall("personality", [personality]);
}

/** Sets where the process's memory is to be, of its children too. */
export function lowerMemoryPolicy(p: Assembler, policy: MemoryPolicy | undefined): void {
  if (policy === undefined) return;
  const { mode, nodes, flags = [] } = policy;
  p.doing(`set the memory policy ${mode}`);
  const bits = flags.reduce((all, flag) => all | memoryPolicyFlags[flag], 0);
  // The kernel takes one bit off the count (set_mempolicy(2), "BUGS" of get_mempolicy(2)).
  const mask = nodes === undefined ? ([0, 0] as const) : ([p.bytes(numberSet(nodes)), numberSetBits + 1] as const);
  p.syscall("set_mempolicy", [memoryPolicyModes[mode] | bits, ...mask]);
}

/** Binds a process to those of the processors that the machine has; nothing when it has none of them, or there is no list. */
export function lowerAffinity(p: Assembler, list: string | undefined): void {
  if (list === undefined) return;
  p.doing(`bind the process to the processors ${list}`);
  p.syscall("sched_setaffinity", [0, numberSetBits / 8, p.bytes(numberSet(list))], { accept: ["EINVAL"] });
}

/** Whether a container's processes are to be on some of the processors only. */
export function hasCpuset({ resources }: Linux): boolean {
  return resources?.cpu?.cpus !== undefined && resources.cpu.cpus !== "";
}

/**
 * Binds a process that has joined its cgroup to the processors of that, those that are yet to come included. Since Linux 6.2 the kernel leaves a process as it
 * was where the cgroup's are the ones that are online (cpuset_attach): such a process would be on each that is added later, too.
 */
export function lowerCpuset(p: Assembler, pid: Operand): void {
  p.doing("bind the process to its cgroup's processors");
  p.syscall("sched_setaffinity", [pid, numberSetBits / 8, p.bytes(new Uint8Array(numberSetBits / 8).fill(0xff))]);
}

function schedAttr({ policy, nice = 0, priority = 0, flags = [], runtime = 0, deadline = 0, period = 0 }: Scheduler) {
  const view = new DataView(new ArrayBuffer(schedAttrSize));
  view.setUint32(0, schedAttrSize, true);
  view.setUint32(4, schedulerPolicies[policy], true);
  const bits = flags.reduce((all, flag) => all | schedulerFlags[flag], 0);
  view.setBigUint64(8, BigInt(bits), true);
  view.setInt32(16, nice, true);
  view.setUint32(20, priority, true);
  for (const [index, time] of [runtime, deadline, period].entries()) {
    view.setBigUint64(24 + 8 * index, BigInt(time), true);
  }
  return new Uint8Array(view.buffer);
}
