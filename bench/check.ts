/** `bench/check FILE`: says of each promise whether the result keeps it. Exit code 1 when one is broken, 2 when one was not measured. */
import { readFileSync } from "node:fs";
import { print } from "../src/base/output";
import { compare, type Outcome, type Promised } from "./promises";
import { contenderNames, type Figures, type Result } from "./result";
import { columns, digits } from "./table";

/** One line: the word, the figure, what it is and what it ought to be. */
function describe({ promised, value, kept }: Outcome, figures: Figures): string[] {
  const { figure, atMost, atLeast, against } = promised;
  const word = value === undefined ? "not measured" : kept ? "kept" : "BROKEN";
  const unit = against === undefined ? (figures[figure]?.unit ?? "") : "×";
  const limit = atMost === undefined ? `at least ${atLeast} ${unit}` : `at most ${atMost} ${unit}`;
  return [word, figure, whose(promised), value === undefined ? "" : `${digits(value)} ${unit}`, limit];
}

function whose({ of, against }: Promised): string {
  if (against === undefined) return contenderNames[of];
  const other = typeof against === "string" ? contenderNames[against] : against.figure;
  return `${contenderNames[of]} / ${other}`;
}

function main(file: string): number {
  const { figures, machine } = JSON.parse(readFileSync(file, "utf8")) as Result;
  const outcomes = compare({ figures });
  const { date, load } = machine;
  print(`${file}: ${date}, load ${load.before} before, ${load.after} after\n`);
  print(
    columns(
      outcomes.map((outcome) => describe(outcome, figures)),
      3,
    ),
  );
  if (outcomes.some(({ kept, value }) => !kept && value !== undefined)) return 1;
  return outcomes.every(({ kept }) => kept) ? 0 : 2;
}

process.exit(main(process.argv[2] ?? ""));
