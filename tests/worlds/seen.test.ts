import { expect, test } from "bun:test";
import { cellsOf, withCells } from "./seen";

const page = (table: string) =>
  `# Platforms\n<!-- seen: written by tests/worlds/run -->\n\n${table}\n\n<!-- end of what was seen -->\nmore\n`;
const before = page("| | A | B |\n|---|---|---|\n| QEMU | 7.2 | 10.0 |\n| run | passed | 1 failed |");

test("what a world has said becomes its cells, and nobody else's", () => {
  const said = "noise\nsuite: run: passed\nversion: QEMU: 10.1\nsuite: forks: 3 passed, 1 failed: no\n";
  expect(withCells(before, ["A", "B", "C"], "B", cellsOf(said, "today"))).toBe(
    page(
      "| | A | B | C |\n|---|---|---|---|\n| QEMU | 7.2 | 10.1 |  |\n| run | passed | today: passed |  |\n| forks |  | today: 3 passed, 1 failed: no |  |",
    ),
  );
});

test("a page without the table is refused", () => {
  expect(() => withCells("# Platforms\n", [], "A", new Map())).toThrow("has no table");
});
