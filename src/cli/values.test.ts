import { expect, test } from "bun:test";
import { parseDuration } from "./values";

test("durations as Go reads them", () => {
  const known: [string, number][] = [
    ["5s", 5000],
    ["100ms", 100],
    ["1h1m1.5s", 3_661_500],
    ["1us", 0.001],
    [".5s", 500],
    ["-1s", -1000],
    ["0", 0],
    ["+2m", 120_000],
  ];
  for (const [text, milliseconds] of known) expect(parseDuration(text)).toBeCloseTo(milliseconds);
  for (const text of ["", "5", "s", "1 s", "1d", "-", "1s1"]) expect(parseDuration(text)).toBeUndefined();
});
