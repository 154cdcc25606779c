import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";

const documented = [...read("../docs/errors.md").matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, code]) => code!);

const sources = [...new Glob("**/*.ts").scanSync(import.meta.dir)].filter((file) => !file.endsWith(".test.ts"));
const text = sources.map(read).join("\n");

test("every code is documented", () => {
  const families = new Set(documented.map((code) => code.split("_")[0]));
  const thrown = [...text.matchAll(/new RunvError\(\s*"([^"]+)"/g)].map(([, code]) => code!);
  const passed = [...text.matchAll(/"([A-Z]+(?:_[A-Z0-9]+)+)"/g)].map(([, code]) => code!);
  const codes = [...thrown, ...passed.filter((code) => families.has(code.split("_")[0]!))];
  expect(codes.filter((code) => !documented.includes(code))).toEqual([]);
});

test("every documented code is in use, once in the table, in order", () => {
  expect(documented.filter((code) => !text.includes(`"${code}"`))).toEqual([]);
  expect(documented).toEqual([...new Set(documented)].sort());
});

function read(file: string): string {
  return readFileSync(join(import.meta.dir, file), "utf8");
}
