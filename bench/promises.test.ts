import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compare, promises } from "./promises";
import { type Figures, figure } from "./result";

const specification = readFileSync(join(import.meta.dir, "../docs/specification.md"), "utf8");

test("docs/specification.md has every promise", () => {
  const missing = promises.filter(({ figure, atMost, atLeast }) => {
    const line = specification
      .split("\n")
      .find((line) => line.startsWith(`| \`${figure}\``) && line.includes(` ${atMost ?? atLeast} `));
    return line === undefined;
  });
  expect(missing).toEqual([]);
});

test("promises are ratios or figures; what was not measured is not kept", () => {
  const figures: Figures = {
    run: figure("run", "ms", { runc: [10, 20, 30], cloned: [400, 100, 200] }),
    version: figure("version", "ms", { cloned: [25] }),
  };
  const outcomes = compare({ figures });
  const of = (name: string) => outcomes.find(({ promised }) => promised.figure === name);
  expect(of("run")).toMatchObject({ value: 10, kept: true });
  expect(of("version")).toMatchObject({ value: 25, kept: false });
  expect(of("exec")).toMatchObject({ value: undefined, kept: false });
});
