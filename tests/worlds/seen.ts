/** docs/platforms.md: its table of what was seen, of which a run writes the cells of what it has tried. */

const [begin, end] = ["<!-- seen: written by tests/worlds/run -->", "<!-- end of what was seen -->"];

/** What was seen, by row and world's title. */
export type Seen = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** The page with new cells; those of other worlds and rows are as they were. @throws Error when the page has no such table */
export function withCells(page: string, titles: readonly string[], seen: Seen): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error("docs/platforms.md has no table of what was seen");
  const old = readTable(page.slice(from + begin.length, to));
  const rows = [...new Set([...old.keys(), ...seen.keys()])];
  const cellOf = (row: string, title: string) => seen.get(row)?.get(title) ?? old.get(row)?.get(title) ?? "";
  const lines = [
    `| | ${titles.join(" | ")} |`,
    `|---|${titles.map(() => "---|").join("")}`,
    ...rows.map((row) => `| ${row} | ${titles.map((title) => cellOf(row, title)).join(" | ")} |`),
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
