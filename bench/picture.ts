/** The picture of a result: a group of bars for each figure, with the ratios to runc's. */
import { contenderNames, contenders, type Figure, type Result, ratio } from "./result";
import { rect, svg, text, vertical } from "./svg";
import { baselineOf, digits, times } from "./table";

const width = 760;
const left = 130;
const right = 150;
const bar = 14;

/** The figures that are shown; each group has a scale of its own, and begins at zero. */
const shown = ["run", "exec", "create", "start", "delete", "state", "stdout", "share-read", "share-write"];

/** Draws those that were measured. */
export function drawResult({ figures, machine, quick }: Result): string {
  const body: string[] = [];
  let y = 24;
  for (const name of shown) {
    const figure = figures[name];
    if (figure === undefined) continue;
    body.push(...group(figure, y));
    y += groupHeight(figure);
  }
  const { processors, processor, load, date } = machine;
  const about = `${processors} × ${processor}, ${machine.versions.qemu ?? ""}; load ${load.before} before, ${load.after} after`;
  body.push(text(12, y, `Medians${quick ? " of a quick run" : ""}, ${date.slice(0, 10)}. ${about}.`, "small"));
  return svg("runv beside runc and crun", width, y + 14, body);
}

function group(figure: Figure, top: number): string[] {
  const { title, unit, values } = figure;
  const longest = Math.max(...Object.values(values).map(({ median }) => median));
  const speed = unit.endsWith("/s");
  const lines = [text(12, top, `${title}, ${unit}${speed ? " (more is better)" : " (less is better)"}`, "title")];
  let y = top + 8;
  for (const [index, name] of contenders.entries()) {
    const value = values[name];
    if (value === undefined) continue;
    const length = (value.median / longest) * (width - left - right);
    const compared = ratio(figure, name, baselineOf(figure));
    const words = `${digits(value.median)} ${unit}${compared === undefined ? "" : `  ${times(compared)}`}`;
    lines.push(text(left - 8, y + bar - 3, contenderNames[name], "small end"));
    lines.push(
      rect(
        left,
        y,
        length,
        bar,
        `c${index}`,
        `${digits(value.min)} to ${digits(value.max)} ${unit}, ${value.runs} runs`,
      ),
    );
    lines.push(text(left + Math.max(length, 1) + 6, y + bar - 3, words));
    y += bar + 4;
  }
  return [...lines, vertical(left, top + 6, y - 2)];
}

function groupHeight({ values }: Figure): number {
  return Object.keys(values).length * (bar + 4) + 34;
}
