import { expect, test } from "bun:test";
import { parseBytes, parseDuration } from "./values";

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

test("sizes as runc's update reads them", () => {
  expect(["50M", "1.5k", "7", "2GiB", "1 gb", "3Tb"].map(parseBytes)).toEqual([
    50 << 20,
    1536,
    7,
    2 ** 31,
    2 ** 30,
    3 * 2 ** 40,
  ]);
  for (const text of ["", "-1", "M", "1x", "1..5", "99999P"]) expect(parseBytes(text)).toBeUndefined();
});
