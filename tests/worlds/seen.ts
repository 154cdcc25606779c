/** docs/platforms.md: its table of what was seen, of which a run writes the cells of what it has tried. */

const [begin, end] = ["<!-- seen: written by tests/worlds/run -->", "<!-- end of what was seen -->"];

/** What was seen in a world, by row. */
export type Cells = ReadonlyMap<string, string>;

/** What a world's output says of its steps, suites (`door: NAME: …`, `suite: NAME: …`) and versions. @param day when that was */
export function cellsOf(said: string, day: string): Cells {
  const cells = new Map<string, string>();
  for (const [, row, text] of said.matchAll(/^version: (.*?): (.*)$/gm)) cells.set(row!, text!);
  for (const [, row, text] of said.matchAll(/^(?:door|suite): (.*?): (.*)$/gm)) cells.set(row!, `${day}: ${text}`);
  return cells;
}

/**
 * The page with a world's new cells; those of other worlds and rows are as they were.
 * @param titles of all worlds, in order
 * @throws Error when the page has no such table
 */
export function withCells(page: string, titles: readonly string[], title: string, cells: Cells): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error("docs/platforms.md has no table of what was seen");
  const old = readTable(page.slice(from + begin.length, to));
  const rows = [...new Set([...old.keys(), ...cells.keys()])];
  const cellOf = (row: string, world: string) =>
    (world === title ? cells.get(row) : undefined) ?? old.get(row)?.get(world) ?? "";
  const lines = [
    `| | ${titles.join(" | ")} |`,
    `|---|${titles.map(() => "---|").join("")}`,
    ...rows.map((row) => `| ${row} | ${titles.map((world) => cellOf(row, world)).join(" | ")} |`),
  ];
  return `${page.slice(0, from + begin.length)}\n\n${lines.join("\n")}\n\n${page.slice(to)}`;
}

function readTable(text: string): Map<string, Map<string, string>> {
  const [head = [], , ...rows] = text
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const titles = head.slice(1);
  return new Map(
    rows.map(([name = "", ...cells]) => [name, new Map(titles.map((title, i) => [title, cells[i] ?? ""]))]),
  );
}
