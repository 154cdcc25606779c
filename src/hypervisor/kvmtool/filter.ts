/**
 * A seccomp filter for lkvm, which is root: it keeps it from what root's user id alone allows, to signal and to trace root's other
 * processes. Its own threads signal each other.
 */
import {
  Bpf,
  type BpfInstruction,
  branch,
  encodeBpf,
  SECCOMP_DATA_ARCH,
  SECCOMP_DATA_NR,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_SET_MODE_FILTER,
  seccompArgument,
  statement,
} from "../../linux/bpf";
import { type SyscallName, syscallNumber } from "../../linux/syscalls";
import type { Assembler } from "../../program/assembler";

/** A call that is refused: always, or where the lower half of an argument is one of some values. */
interface Refusal {
  call: SyscallName;
  argument?: number;
  values?: readonly number[];
}

const refusals: readonly Refusal[] = [
  ...(["kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"] as const).map((call) => ({
    call,
  })),
  ...(["ptrace", "process_vm_readv", "process_vm_writev"] as const).map((call) => ({ call })),
  // Whom a descriptor signals: F_SETOWN, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP.
  { call: "fcntl", argument: 1, values: [8, 15] },
  { call: "ioctl", argument: 1, values: [0x8901, 0x8902] },
];

const EPERM = 1;
/** linux/audit.h */
const AUDIT_ARCH_X86_64 = 0xc000_003e;
/** asm/unistd.h: __X32_SYSCALL_BIT */
const x32 = 0x4000_0000;

const refuse = statement(Bpf.return, SECCOMP_RET_ERRNO | EPERM);
const allow = statement(Bpf.return, SECCOMP_RET_ALLOW);
const load = (offset: number) => statement(Bpf.load, offset);

/** The filter. @returns also which instruction is to have the process's id in its `k` */
export function signalFilter(): { program: BpfInstruction[]; own: number } {
  const program = [
    // No call by another convention, whose numbers mean something else.
    load(SECCOMP_DATA_ARCH),
    branch(Bpf.jumpEqual, AUDIT_ARCH_X86_64, 1, 0),
    refuse,
    load(SECCOMP_DATA_NR),
    branch(Bpf.jumpNotLess, x32, 0, 1),
    refuse,
    ...refusals.flatMap(refusal),
    branch(Bpf.jumpEqual, syscallNumber("tgkill", "x86_64"), 1, 0),
    allow,
    load(seccompArgument(0)),
  ];
  return { program: [...program, branch(Bpf.jumpEqual, 0, 0, 1), allow, refuse], own: program.length };
}

/** Expects the call's number to be loaded, and leaves it so. */
function refusal({ call, argument, values = [] }: Refusal): BpfInstruction[] {
  const number = syscallNumber(call, "x86_64");
  if (argument === undefined) return [branch(Bpf.jumpEqual, number, 0, 1), refuse];
  const looks = values.map((value, index) => branch(Bpf.jumpEqual, value, values.length - index, 0));
  const block = [load(seccompArgument(argument)), ...looks, statement(Bpf.jump, 1), refuse, load(SECCOMP_DATA_NR)];
  return [branch(Bpf.jumpEqual, number, 0, block.length), ...block];
}

/** Puts it on the process that runs the program. It needs no_new_privs. */
export function loadSignalFilter(p: Assembler): void {
  const { program, own } = signalFilter();
  // struct sock_fprog: u16 instructions, and a pointer to them
  const fprog = new Uint8Array(16);
  new DataView(fprog.buffer).setUint16(0, program.length, true);
  const [at, code] = [p.bytes(fprog), p.bytes(encodeBpf(program))];
  p.pointer(at.plus(8), code);
  p.doing("keep lkvm from other processes");
  p.store(code.plus(8 * own + 4), p.value("getpid", []), 4);
  p.syscall("seccomp", [SECCOMP_SET_MODE_FILTER, 0, at]);
}
