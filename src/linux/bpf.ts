/** Classic BPF, the language of seccomp filters: linux/bpf_common.h, linux/filter.h, linux/seccomp.h. */

/** What runv's filters are made of: class, operation and source of an instruction's code. */
export const Bpf = {
  /** A = 32 bits of struct seccomp_data at k. */
  load: 0x20,
  /** A &= k. */
  and: 0x54,
  jump: 0x05,
  jumpEqual: 0x15,
  jumpGreater: 0x25,
  jumpNotLess: 0x35,
  jumpSet: 0x45,
  return: 0x06,
} as const;

/** struct sock_filter: a jump skips so many instructions when it holds, or not. */
export interface BpfInstruction {
  code: number;
  whenTrue: number;
  whenFalse: number;
  k: number;
}

/** The most instructions that the kernel takes. */
export const BPF_MAXINSNS = 4096;

/** Offsets in struct seccomp_data. */
export const SECCOMP_DATA_NR = 0;
export const SECCOMP_DATA_ARCH = 4;
/** The lower half of an argument; the upper half is 4 bytes on: both architectures are little-endian. */
export const seccompArgument = (index: number): number => 16 + 8 * index;

/** What a filter returns, and the data that goes with it in the lower 16 bits. */
export const SECCOMP_RET_KILL_PROCESS = 0x8000_0000;
export const SECCOMP_RET_KILL_THREAD = 0;
export const SECCOMP_RET_TRAP = 0x0003_0000;
export const SECCOMP_RET_ERRNO = 0x0005_0000;
export const SECCOMP_RET_TRACE = 0x7ff0_0000;
export const SECCOMP_RET_LOG = 0x7ffc_0000;
export const SECCOMP_RET_ALLOW = 0x7fff_0000;

/** seccomp(2) */
export const SECCOMP_SET_MODE_FILTER = 1;
export const SECCOMP_FILTER_FLAG_TSYNC = 1;
export const SECCOMP_FILTER_FLAG_LOG = 2;
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;

/** An instruction that is no jump. */
export function statement(code: number, k: number): BpfInstruction {
  return { code, whenTrue: 0, whenFalse: 0, k: k >>> 0 };
}

/** A conditional jump. The distances must be below 256. */
export function branch(code: number, k: number, whenTrue: number, whenFalse: number): BpfInstruction {
  if (whenTrue > 255 || whenFalse > 255) throw new Error("a BPF jump of more than 255 instructions");
  return { code, whenTrue, whenFalse, k: k >>> 0 };
}

/** An array of struct sock_filter. */
export function encodeBpf(program: readonly BpfInstruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * program.length));
  for (const [index, { code, whenTrue, whenFalse, k }] of program.entries()) {
    view.setUint16(8 * index, code, true);
    view.setUint8(8 * index + 2, whenTrue);
    view.setUint8(8 * index + 3, whenFalse);
    view.setUint32(8 * index + 4, k, true);
  }
  return new Uint8Array(view.buffer);
}
