/** A BPF machine for tests, as linux/filter.h describes it. */
import { Bpf, type BpfInstruction } from "../../../linux/bpf";

/** A system call as a filter sees it. */
export interface Call {
  /** AUDIT_ARCH_*; by default x86-64. */
  arch?: number;
  nr: number;
  args?: readonly bigint[];
}

/** Runs a filter on a call. @returns what it returns, and after how many instructions */
export function runFilter(program: readonly BpfInstruction[], { arch = 0xc000_003e, nr, args = [] }: Call) {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, nr, true);
  data.setUint32(4, arch, true);
  for (const [index, value] of args.entries()) data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, value), true);
  let accumulator = 0;
  let steps = 0;
  for (let at = 0; ; at++) {
    const instruction = program[at];
    if (instruction === undefined) throw new Error(`ran off the filter's end`);
    const { code, k, whenTrue, whenFalse } = instruction;
    steps++;
    const jump = (holds: boolean) => {
      at += holds ? whenTrue : whenFalse;
    };
    if (code === Bpf.return) return { returns: k, steps };
    if (code === Bpf.load) accumulator = data.getUint32(k, true);
    else if (code === Bpf.and) accumulator = (accumulator & k) >>> 0;
    else if (code === Bpf.jump) at += k;
    else if (code === Bpf.jumpEqual) jump(accumulator === k);
    else if (code === Bpf.jumpGreater) jump(accumulator > k);
    else if (code === Bpf.jumpNotLess) jump(accumulator >= k);
    else if (code === Bpf.jumpSet) jump((accumulator & k) !== 0);
    else throw new Error(`unknown BPF code ${code}`);
  }
}
