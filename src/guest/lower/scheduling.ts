/** How a process is scheduled, and as what machine it sees itself (config.md, "Linux Process"; config-linux.md, "Personality"). */
import type { Linux } from "../../oci/linux";
import type { Process } from "../../oci/process";
import { ioPriorityClasses, type Scheduler, schedulerFlags, schedulerPolicies } from "../../oci/scheduling";
import type { Assembler, Operand } from "../../program/assembler";

/** linux/personality.h, linux/ioprio.h */
const PER_LINUX = 0;
const PER_LINUX32 = 8;
const IOPRIO_WHO_PROCESS = 1;
const IOPRIO_CLASS_SHIFT = 13;
/** struct sched_attr in its first version (sched_setattr(2)). */
const schedAttrSize = 48;
/** Room for as many processors as a kernel can have. */
const cpuSetSize = 1024;

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

/** Binds a process to those of the processors that the machine has; nothing when it has none of them, or there is no list. */
export function lowerAffinity(p: Assembler, list: string | undefined): void {
  if (list === undefined) return;
  p.doing(`bind the process to the processors ${list}`);
  p.syscall("sched_setaffinity", [0, cpuSetSize / 8, p.bytes(cpuSet(list))], { accept: ["EINVAL"] });
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

/** A cpu_set_t of a list such as `0-3,7`; processors beyond its size are not there anyway. */
export function cpuSet(list: string): Uint8Array {
  const set = new Uint8Array(cpuSetSize / 8);
  for (const range of list.split(",")) {
    const [first = 0, last = first] = range.split("-").map(Number);
    for (let cpu = first; cpu <= Math.min(last, cpuSetSize - 1); cpu++) set[cpu >> 3]! |= 1 << (cpu & 7);
  }
  return set;
}
