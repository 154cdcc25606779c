/** What a profile says of each system call of one architecture. */
import { RunvError } from "../../../base/error";
import {
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
} from "../../../linux/bpf";
import { errnoOf } from "../../../linux/errno";
import type { Seccomp, SeccompArgument, SeccompRule } from "../../../oci/seccomp";
import type { SeccompAction } from "../../../oci/seccomp-names";
import { type CallingConvention, multiplexed, numberOf } from "./architectures";

/** When all comparisons hold, the filter returns `returns`. */
export interface Clause {
  when: readonly SeccompArgument[];
  returns: number;
}

/** What is to become of one system call: a value, or clauses of which the first that holds decides. */
export type Verdict = number | readonly Clause[];

const returned: Record<Exclude<SeccompAction, "SCMP_ACT_NOTIFY">, number> = {
  SCMP_ACT_ALLOW: SECCOMP_RET_ALLOW,
  SCMP_ACT_ERRNO: SECCOMP_RET_ERRNO,
  SCMP_ACT_KILL: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_LOG: SECCOMP_RET_LOG,
  SCMP_ACT_TRACE: SECCOMP_RET_TRACE,
  SCMP_ACT_TRAP: SECCOMP_RET_TRAP,
};

/** What a filter returns for an action; ERRNO and TRACE carry a number, EPERM unless it is given. */
export function returnOf(action: SeccompAction, errno = errnoOf("EPERM")): number {
  if (action === "SCMP_ACT_NOTIFY") {
    throw new RunvError("CONFIG_UNSUPPORTED", "linux.seccomp: SCMP_ACT_NOTIFY is not supported");
  }
  const takesOne = action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
  return returned[action] | (takesOne ? errno & 0xffff : 0);
}

/**
 * Sorts the rules of a profile by system call, as runc gives them to libseccomp: names that are unknown are passed over, a rule that
 * does what is done anyway as well, and of several rules for a call the first without comparisons stands above all others.
 */
export function verdictsOf(profile: Seccomp, convention: CallingConvention): Map<number, Verdict> {
  const otherwise = returnOf(profile.defaultAction, profile.defaultErrnoRet);
  const verdicts = new Map<number, Verdict>();
  for (const rule of profile.syscalls) {
    const returns = returnOf(rule.action, rule.errnoRet);
    if (returns === otherwise) continue;
    for (const name of rule.names) {
      const number = numberOf(name, convention);
      if (number !== undefined) add(verdicts, number, clausesOf(rule, returns));
      const carried = multiplexed(name, convention);
      if (carried === undefined) continue;
      const when: SeccompArgument[] = [{ index: 0, op: "SCMP_CMP_EQ", value: carried.call }];
      add(verdicts, carried.number, [{ when, returns }]);
    }
  }
  return verdicts;
}

/** A rule that compares one argument twice means any of its comparisons, one that does not means all: runc's own rule. */
function clausesOf({ args }: SeccompRule, returns: number): Verdict {
  if (args.length === 0) return returns;
  const twice = new Set(args.map(({ index }) => index)).size < args.length;
  return twice ? args.map((arg) => ({ when: [arg], returns })) : [{ when: args, returns }];
}

function add(verdicts: Map<number, Verdict>, number: number, verdict: Verdict): void {
  const known = verdicts.get(number);
  if (typeof known === "number") return;
  verdicts.set(number, known === undefined || typeof verdict === "number" ? verdict : [...known, ...verdict]);
}
