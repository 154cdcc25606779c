/** What a run of the benchmark leaves: `bench/results/latest.json`. */
import type { Machine } from "./machine";
import { type Summary, summarize } from "./statistics";

/** Who is measured, in the order of the table. `hand` is QEMU started by hand. */
export const contenders = [
  "hand",
  "runc",
  "crun",
  "cold",
  "cloned",
  "pooled",
  "loose",
  "virtiofs",
  "fuse",
  "disk",
  "tmpfs",
] as const;
export type Contender = (typeof contenders)[number];

export const contenderNames: Record<Contender, string> = {
  hand: "QEMU by hand",
  runc: "runc",
  crun: "crun",
  cold: "runv, cold boot",
  cloned: "runv, cloned",
  pooled: "runv, pooled",
  loose: "runv, --share-cache loose",
  virtiofs: "runv, --share virtiofs",
  fuse: "runv, --share fuse",
  disk: "runv, on a disk image",
  tmpfs: "runv, in the guest's memory",
};

export type Unit = "ms" | "s" | "MB/s" | "Gbit/s" | "MB" | "×" | "1/s";

/** One line of the table. */
export interface Figure {
  title: string;
  unit: Unit;
  values: Partial<Record<Contender, Summary>>;
}

/** By name. */
export type Figures = Record<string, Figure>;

export interface Result {
  machine: Machine;
  quick: boolean;
  figures: Figures;
  /** What must be known to read them. */
  notes: string[];
}

/** Samples by contender; those who have none are left out. */
export type Samples = Partial<Record<Contender, number[]>>;

/** A figure of the samples. */
export function figure(title: string, unit: Unit, samples: Samples): Figure {
  const entries = Object.entries(samples).filter(([, list]) => list.length > 0);
  return { title, unit, values: Object.fromEntries(entries.map(([who, list]) => [who, summarize(list)])) };
}

/** How a contender does compared with another. @returns undefined when one of them was not measured */
export function ratio({ values }: Figure, of: Contender, against: Contender): number | undefined {
  const [one, other] = [values[of], values[against]];
  return one === undefined || other === undefined || other.median === 0 ? undefined : one.median / other.median;
}
