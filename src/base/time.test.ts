import { expect, test } from "bun:test";
import { formatTime, now, parseTime } from "./time";

test("times as Go writes them, and back", () => {
  const known: [string, bigint][] = [
    ["2026-11-22T02:26:31.03619103Z", 1795314391036191030n],
    ["2026-11-22T02:26:31Z", 1795314391000000000n],
    ["1970-01-01T00:00:00.000000001Z", 1n],
    ["0001-01-01T00:00:00Z", -62_135_596_800_000_000_000n],
  ];
  for (const [text, at] of known) expect([formatTime(at), parseTime(text)]).toEqual([text, at]);
  expect(parseTime("2026-11-22T03:26:31.5+01:00")).toBe(1795314391500000000n);
  for (const bad of ["", "now", "2026-11-22", "2026-13-40T00:00:00Z", "2026-11-22T02:26:31"]) {
    expect(parseTime(bad)).toBeUndefined();
  }
  expect(Number(now() / 1_000_000n)).toBeWithin(Date.now() - 60_000, Date.now() + 60_000);
});
