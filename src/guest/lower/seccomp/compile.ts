/** linux.seccomp, compiled to what seccomp(2) takes: config-linux.md, "Seccomp". */
import { RunvError } from "../../../base/error";
import { log } from "../../../base/log";
import {
  BPF_MAXINSNS,
  Bpf,
  type BpfInstruction,
  encodeBpf,
  SECCOMP_DATA_ARCH,
  SECCOMP_DATA_NR,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_THREAD,
  statement,
} from "../../../linux/bpf";
import { errnoOf } from "../../../linux/errno";
import { type Architecture, architecture } from "../../../linux/syscalls";
import type { Seccomp } from "../../../oci/seccomp";
import type { SeccompFlag } from "../../../oci/seccomp-names";
import { type CallingConvention, conventionsFor, numberOf } from "./architectures";
import { returnOf, verdictsOf } from "./rules";
import { jumpOver, searchCode } from "./tree";

/** A filter as seccomp(2) takes it. Made once for a container, for all of its processes. */
export interface SeccompFilter {
  /** SECCOMP_FILTER_FLAG_* bits. */
  flags: number;
  /** struct sock_filter[], in base64: it is kept in the container's state. */
  program: string;
}

/** Compiles a profile. @throws RunvError CONFIG_UNSUPPORTED when it is larger than the kernel takes, or asks for NOTIFY */
export function compileSeccomp(profile: Seccomp, machine: Architecture = architecture): SeccompFilter {
  const program = filterCode(profile, machine);
  if (program.length > BPF_MAXINSNS) {
    const says = `compiles to ${program.length} instructions, of which the kernel takes ${BPF_MAXINSNS}`;
    throw new RunvError("CONFIG_UNSUPPORTED", `linux.seccomp: ${says}`);
  }
  const flags = flagsOf(profile.flags);
  log.debug(`seccomp filter flags: ${flags}`);
  return { flags, program: Buffer.from(encodeBpf(program)).toString("base64") };
}

/** The filter's instructions: first which architecture calls, then which call it is. */
export function filterCode(profile: Seccomp, machine: Architecture = architecture): BpfInstruction[] {
  const conventions = conventionsFor(profile.architectures, machine);
  const code = [statement(Bpf.load, SECCOMP_DATA_ARCH)];
  for (const audit of new Set(conventions.map((convention) => convention.audit))) {
    const section = auditSection(
      profile,
      conventions.filter((convention) => convention.audit === audit),
    );
    code.push(...unless(Bpf.jumpEqual, audit, section));
  }
  return [...code, statement(Bpf.return, SECCOMP_RET_KILL_THREAD)];
}

/** The calls of one AUDIT_ARCH: those of x32 have a bit set, and are none of x86-64's if the profile does not list them. */
function auditSection(profile: Seccomp, conventions: readonly CallingConvention[]): BpfInstruction[] {
  const plain = conventions.find(({ bit }) => bit === 0)!;
  const marked = conventions.find(({ bit }) => bit !== 0);
  const number = statement(Bpf.load, SECCOMP_DATA_NR);
  const calls = section(profile, plain);
  if (plain.name !== "SCMP_ARCH_X86_64") return [number, ...calls];
  const x32 = marked === undefined ? [statement(Bpf.return, SECCOMP_RET_KILL_THREAD)] : section(profile, marked);
  return [number, ...jumpOver(Bpf.jumpSet, 0x4000_0000, calls.length), ...calls, ...x32];
}

function section(profile: Seccomp, convention: CallingConvention): BpfInstruction[] {
  const otherwise = returnOf(profile.defaultAction, profile.defaultErrnoRet);
  const search = searchCode(verdictsOf(profile, convention), otherwise, convention.wide);
  const newest = newestKnown(profile, convention);
  if (newest === undefined) return search;
  const unknown = statement(Bpf.return, SECCOMP_RET_ERRNO | errnoOf("ENOSYS"));
  return [...unless(Bpf.jumpGreater, newest, [unknown]), ...search];
}

/** Skips the instructions unless the comparison holds. */
function unless(code: number, k: number, then: readonly BpfInstruction[]): BpfInstruction[] {
  return [...jumpOver(code, k, 1), statement(Bpf.jump, then.length), ...then];
}

/**
 * The highest number that the profile names. As runc has it: what is newer did not exist for its author, and programs know how to
 * go on after ENOSYS but not after EPERM. Undefined where that is no concern: a profile that lets unknown calls pass, or one
 * that answers ENOSYS itself, or does not list the architecture.
 */
function newestKnown(profile: Seccomp, convention: CallingConvention): number | undefined {
  if (["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"].includes(profile.defaultAction)) return undefined;
  if (profile.defaultErrnoRet === errnoOf("ENOSYS") || !profile.architectures.includes(convention.name))
    return undefined;
  let newest: number | undefined;
  for (const { names } of profile.syscalls) {
    for (const name of names) {
      const number = numberOf(name, convention);
      if (number !== undefined && number > (newest ?? 0)) newest = number;
    }
  }
  return newest;
}

const flagBits: Record<SeccompFlag, number> = {
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  // It is about supervisors alone, and the kernel refuses it without one.
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 0,
};

function flagsOf(flags: readonly SeccompFlag[] = ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]): number {
  return flags.reduce((bits, flag) => bits | flagBits[flag], 0);
}
