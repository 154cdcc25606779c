/** The search for a system call's number. */
import { Bpf, type BpfInstruction, branch, statement } from "../../../linux/bpf";
import { clausesCode } from "./clauses";
import type { Verdict } from "./rules";

/** Numbers from `from` on, up to the next span, that share a verdict. */
interface Span {
  from: number;
  verdict: Verdict;
}

/**
 * Instructions that decide about the number in the accumulator: a binary search over runs of numbers with the same verdict, so
 * that some nine comparisons settle any of the 350 calls of a usual profile.
 */
export function searchCode(verdicts: ReadonlyMap<number, Verdict>, otherwise: number, wide: boolean): BpfInstruction[] {
  return search(spansOf(verdicts, otherwise), otherwise, wide);
}

function spansOf(verdicts: ReadonlyMap<number, Verdict>, otherwise: number): Span[] {
  const spans: Span[] = [{ from: 0, verdict: otherwise }];
  const begin = (from: number, verdict: Verdict) => {
    const last = spans.at(-1)!;
    if (last.from === from) spans.pop();
    if (spans.at(-1)?.verdict !== verdict) spans.push({ from, verdict });
  };
  for (const [number, verdict] of [...verdicts].sort(([a], [b]) => a - b)) {
    begin(number, verdict);
    begin(number + 1, otherwise);
  }
  return spans;
}

function search(spans: readonly Span[], otherwise: number, wide: boolean): BpfInstruction[] {
  if (spans.length === 1) {
    const { verdict } = spans[0]!;
    return typeof verdict === "number" ? [statement(Bpf.return, verdict)] : clausesCode(verdict, otherwise, wide);
  }
  const middle = spans.length >> 1;
  const below = search(spans.slice(0, middle), otherwise, wide);
  const above = search(spans.slice(middle), otherwise, wide);
  return [...jumpOver(Bpf.jumpNotLess, spans[middle]!.from, below.length), ...below, ...above];
}

/** Skips `distance` instructions when the comparison holds; a long way takes an unconditional jump. */
export function jumpOver(code: number, k: number, distance: number): BpfInstruction[] {
  if (distance <= 255) return [branch(code, k, distance, 0)];
  return [branch(code, k, 0, 1), statement(Bpf.jump, distance)];
}
