/** A result as text. */
import { type Contender, contenderNames, contenders, type Figure, type Figures, ratio } from "./result";

/** Lines of aligned columns. @param left how many of them are left-aligned; those after are right-aligned */
export function columns(rows: readonly (readonly string[])[], left = 1): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column < left ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ");
  return rows.map((row) => `${line(row).trimEnd()}\n`).join("");
}

/** Medians, in brackets the least and the most, and how much that is of the baseline's: runc, or QEMU by hand. */
export function formatFigures(figures: Figures): string {
  const all = Object.values(figures);
  const who = contenders.filter((name) => all.some(({ values }) => values[name] !== undefined));
  const header = ["", "", ...who.map((name) => contenderNames[name])];
  return columns([header, ...all.map((one) => [one.title, one.unit, ...who.map((name) => cell(one, name))])]);
}

/** What others are compared with. */
export function baselineOf({ values }: Figure): Contender {
  return values.runc === undefined ? "hand" : "runc";
}

function cell(figure: Figure, name: Contender): string {
  const value = figure.values[name];
  if (value === undefined) return "";
  const { median, min, max, runs } = value;
  const spread = runs > 1 ? ` [${digits(min)}–${digits(max)}]` : "";
  const baseline = baselineOf(figure);
  const compared = name === baseline ? undefined : ratio(figure, name, baseline);
  return `${digits(median)}${spread}${compared === undefined ? "" : ` ${times(compared)}`}`;
}

/** A ratio: "8.3×". */
export function times(value: number): string {
  return `${digits(value)}×`;
}

/** As many digits as tell something. */
export function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
