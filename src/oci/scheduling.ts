/** How a process is scheduled: config.md, "Linux Process": scheduler, ioPriority, execCPUAffinity. */
import { array, checked, defaulted, type Infer, object, optional, optionalString } from "./reader";
import { int32, integer, oneOf, string, uint64 } from "./scalars";

/** linux/sched.h */
export const schedulerPolicies = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
} as const;

/** linux/sched.h: sched_attr.sched_flags */
export const schedulerFlags = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
} as const;

/** linux/ioprio.h */
export const ioPriorityClasses = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 } as const;

function keys<T extends object>(table: T): (keyof T & string)[] {
  return Object.keys(table) as (keyof T & string)[];
}

const fields = object({
  policy: oneOf("scheduling policy", keys(schedulerPolicies)),
  nice: optional(int32),
  priority: optional(int32),
  flags: optional(array(oneOf("scheduling flag", keys(schedulerFlags)), "strings")),
  /** Nanoseconds, for SCHED_DEADLINE. */
  runtime: optional(uint64),
  deadline: optional(uint64),
  period: optional(uint64),
});

export interface Scheduler extends Infer<typeof fields> {}

export const scheduler = checked(fields, ({ policy, nice = 0, priority, runtime, deadline, period }) => {
  if ((policy === "SCHED_OTHER" || policy === "SCHED_BATCH") && (nice < -20 || nice > 19)) {
    return `nice must be between -20 and 19, got ${nice}`;
  }
  if (priority && policy !== "SCHED_FIFO" && policy !== "SCHED_RR") {
    return "priority can only be set with SCHED_FIFO or SCHED_RR";
  }
  if ((runtime || deadline || period) && policy !== "SCHED_DEADLINE") {
    return "runtime, deadline and period can only be set with SCHED_DEADLINE";
  }
  return undefined;
});

export const ioPriority = object({
  class: oneOf("I/O priority class", keys(ioPriorityClasses)),
  /** Within the class; as with runc the highest unless it is said. */
  priority: defaulted(integer(0, 7), () => 0),
});

/** A list of numbers and ranges as the kernel writes cpus and memory nodes: `0-3,7`. */
export const numberList = checked(string, (text) =>
  /^\s*\d+(-\d+)?(\s*,\s*\d+(-\d+)?)*\s*$/.test(text) ? undefined : 'must be a list such as "0-3,7"',
);

/** Room for as many processors, and memory nodes, as a kernel can have. */
export const numberSetBits = 1024;

/** The bits (cpu_set_t, nodemask_t) of a list such as `0-3,7`; what is beyond their number is not there anyway. */
export function numberSet(list: string): Uint8Array {
  const set = new Uint8Array(numberSetBits / 8);
  for (const [first, last] of rangesOf(list)) {
    for (let number = first; number <= Math.min(last, numberSetBits - 1); number++)
      set[number >> 3]! |= 1 << (number & 7);
  }
  return set;
}

/** The largest number of a list that is not empty. */
export function largestNumber(list: string): number {
  return Math.max(...rangesOf(list).flat());
}

function rangesOf(list: string): [first: number, last: number][] {
  if (list === "") return [];
  return list.split(",").map((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return [first, last];
  });
}

/** The cpus on which `exec` starts a process, before and after it joins the container's cgroup. */
export const execCPUAffinity = object({ initial: optionalString(numberList), final: optionalString(numberList) });
