import { expect, test } from "bun:test";
import { environmentProblem, lastOfEach } from "./environment";

test("of each name the last entry is kept, in its place", () => {
  expect(lastOfEach([])).toEqual([]);
  expect(lastOfEach(["A=1", "B=2", "A=3"])).toEqual(["B=2", "A=3"]);
  expect(lastOfEach(["A=1", "A=1", "AA=", "A="])).toEqual(["AA=", "A="]);
});

test("an entry without a name, or without a value, is none", () => {
  expect(["A=", "A==b", "=b", "A", ""].map((entry) => environmentProblem(entry)?.split(": ")[1])).toEqual([
    undefined,
    undefined,
    "name cannot be empty",
    "missing '='",
    "missing '='",
  ]);
});
