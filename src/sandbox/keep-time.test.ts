import { expect, test } from "bun:test";
import { decodeClock, moveClock } from "../guest/clock";
import { correction } from "./keep-time";

test("a clock is moved when a look shows that it is off, and by as much", () => {
  expect(correction(60_000, 4)).toBe(60_000);
  expect(correction(-60_000, 4)).toBe(-60_000);
  expect(correction(9, 4)).toBe(0);
  expect(correction(11.5, 4)).toBe(0);
  // Whoever stood still during the look may well be right.
  expect(correction(29_000, 60_000)).toBe(0);
});

test("what a guest says of its clock is read with care", () => {
  const said = Buffer.alloc(48);
  said.writeBigInt64LE(1_700_000_000n, 0);
  said.writeBigInt64LE(250_000_000n, 8);
  said.write("acpi_pm\n", 16);
  expect(decodeClock(said)).toEqual({ ms: 1_700_000_000_250, source: "acpi_pm" });
  expect(decodeClock(said.subarray(0, 15))).toBeUndefined();
});

test("a clock moves both ways", () => {
  const timexOf = (byMs: number) => {
    const { bytes, dataAt } = moveClock(byMs);
    const time = Buffer.from(bytes).subarray(dataAt + 72);
    return [time.readBigInt64LE(0), time.readBigInt64LE(8)];
  };
  expect(timexOf(1500)).toEqual([1n, 500_000_000n]);
  expect(timexOf(-1500)).toEqual([-2n, 500_000_000n]);
});
