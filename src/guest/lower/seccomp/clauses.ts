/** Comparisons of a system call's arguments, as BPF, which knows 32 bits at a time. */
import { Bpf, type BpfInstruction, branch, seccompArgument, statement } from "../../../linux/bpf";
import type { SeccompArgument } from "../../../oci/seccomp";
import type { Clause } from "./rules";

const low = (value: bigint): number => Number(value & 0xffff_ffffn);
const high = (value: bigint): number => Number((value >> 32n) & 0xffff_ffffn);

/** Instructions that return what the first clause that holds says, or else `otherwise`. */
export function clausesCode(clauses: readonly Clause[], otherwise: number, wide: boolean): BpfInstruction[] {
  const code = clauses.flatMap(({ when, returns }) => clauseCode(when, returns, wide));
  return [...code, statement(Bpf.return, otherwise)];
}

/** Built from its end: each comparison that fails skips all that follows in this clause. */
function clauseCode(when: readonly SeccompArgument[], returns: number, wide: boolean): BpfInstruction[] {
  let code = [statement(Bpf.return, returns)];
  for (const argument of when.toReversed()) code = [...comparison(argument, code.length, wide), ...code];
  return code;
}

/** Instructions that fall through when the comparison holds, and skip `fail` instructions after them when it does not. */
function comparison({ index, op, value, valueTwo = 0 }: SeccompArgument, fail: number, wide: boolean) {
  const against = BigInt(value);
  const lower = statement(Bpf.load, seccompArgument(index));
  const upper = statement(Bpf.load, seccompArgument(index) + 4);
  if (op === "SCMP_CMP_MASKED_EQ") return masked(lower, upper, against, BigInt(valueTwo), fail, wide);
  const [code, holds] = lowerTest[op];
  const [yes, no] = holds ? [0, fail] : [fail, 0];
  const last = branch(code, low(against), yes, no);
  if (!wide) return [lower, last];
  // Where the upper halves are equal, the lower ones decide; elsewhere the upper ones do, and skip the rest: two more
  // instructions to what follows, and `fail` beyond them.
  const [pass, skip] = [2, 2 + fail];
  const decide = branch(Bpf.jumpEqual, high(against), 0, op === "SCMP_CMP_EQ" ? skip : pass);
  if (op === "SCMP_CMP_EQ" || op === "SCMP_CMP_NE") return [upper, decide, lower, last];
  const greater = branch(Bpf.jumpGreater, high(against), (holds ? pass : skip) + 1, 0);
  const equal = branch(Bpf.jumpEqual, high(against), 0, holds ? skip : pass);
  return [upper, greater, equal, lower, last];
}

/** The test of the lower halves, and whether the comparison holds when the test does. */
const lowerTest = {
  SCMP_CMP_EQ: [Bpf.jumpEqual, true],
  SCMP_CMP_NE: [Bpf.jumpEqual, false],
  SCMP_CMP_GT: [Bpf.jumpGreater, true],
  SCMP_CMP_GE: [Bpf.jumpNotLess, true],
  SCMP_CMP_LE: [Bpf.jumpGreater, false],
  SCMP_CMP_LT: [Bpf.jumpNotLess, false],
} as const;

function masked(
  lower: BpfInstruction,
  upper: BpfInstruction,
  mask: bigint,
  datum: bigint,
  fail: number,
  wide: boolean,
) {
  const half = (load: BpfInstruction, part: (value: bigint) => number, skip: number) => [
    load,
    statement(Bpf.and, part(mask)),
    branch(Bpf.jumpEqual, part(datum), 0, skip),
  ];
  const last = half(lower, low, fail);
  return wide ? [...half(upper, high, last.length + fail), ...last] : last;
}
