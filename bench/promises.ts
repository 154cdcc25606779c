/** What runv promises: the numbers of docs/specification.md, as `bench/check` compares them. Medians of one run on a quiet machine. */
import type { Contender, Result } from "./result";

export interface Promised {
  /** The figure's name in a result. */
  figure: string;
  of: Contender;
  /** With whom it is compared: a ratio is promised. Undefined: the figure itself, in its unit. */
  against?: Contender | { figure: string; of: Contender };
  atMost?: number;
  atLeast?: number;
}

export const promises: readonly Promised[] = [
  { figure: "run", of: "cloned", against: "runc", atMost: 12 },
  { figure: "run", of: "cold", against: "cloned", atLeast: 6 },
  { figure: "run", of: "pooled", against: "runc", atMost: 3 },
  { figure: "exec", of: "cloned", against: "runc", atMost: 3 },
  { figure: "state", of: "cloned", against: "runc", atMost: 4 },
  { figure: "list", of: "cloned", against: "runc", atMost: 4 },
  { figure: "state", of: "cloned", atMost: 20 },
  { figure: "version", of: "cloned", atMost: 20 },
  { figure: "memory-many", of: "cloned", atMost: 40 },
  { figure: "memory-runv", of: "cloned", atMost: 12 },
  { figure: "many-start-each", of: "cloned", atMost: 0.2 },
  { figure: "many-delete-each", of: "cloned", atMost: 0.1 },
  { figure: "many-slowdown", of: "cloned", atMost: 1.3 },
  { figure: "stdout", of: "cloned", atLeast: 60 },
  {
    figure: "stdout-cpu-runv",
    of: "cloned",
    against: { figure: "stdout-cpu-qemu", of: "cloned" },
    atMost: 1,
  },
  { figure: "boot-cpu", of: "cold", against: "hand", atMost: 1.5 },
];

/** What became of a promise; `value` is undefined when the result does not have it. */
export interface Outcome {
  promised: Promised;
  value: number | undefined;
  kept: boolean;
}

/** Compares a result with all promises. */
export function compare(result: Pick<Result, "figures">): Outcome[] {
  return promises.map((promised) => {
    const value = measured(result, promised);
    const { atMost = Infinity, atLeast = -Infinity } = promised;
    return { promised, value, kept: value !== undefined && value <= atMost && value >= atLeast };
  });
}

function measured({ figures }: Pick<Result, "figures">, { figure, of, against }: Promised): number | undefined {
  const medianOf = (name: string, who: Contender) => figures[name]?.values[who]?.median;
  const value = medianOf(figure, of);
  if (against === undefined) return value;
  const other = typeof against === "string" ? medianOf(figure, against) : medianOf(against.figure, against.of);
  return value === undefined || other === undefined ? undefined : value / other;
}
