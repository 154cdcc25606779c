import { expect, test } from "bun:test";
import { withCells } from "./seen";

const page = (table: string) =>
  `# Platforms\n<!-- seen: written by tests/worlds/run -->\n\n${table}\n\n<!-- end of what was seen -->\nmore\n`;
const before = page("| | A | B |\n|---|---|---|\n| QEMU | 7.2 | 10.0 |\n| run | passed | 1 failed |");

test("a run writes what it has tried, and nothing else", () => {
  const seen = new Map([
    ["run", new Map([["B", "passed"]])],
    ["forks", new Map([["B", "skipped"]])],
  ]);
  expect(withCells(before, ["A", "B", "C"], seen)).toBe(
    page(
      "| | A | B | C |\n|---|---|---|---|\n| QEMU | 7.2 | 10.0 |  |\n| run | passed | passed |  |\n| forks |  | skipped |  |",
    ),
  );
});

test("a page without the table is refused", () => {
  expect(() => withCells("# Platforms\n", [], new Map())).toThrow("has no table");
});
