import { expect, test } from "bun:test";
import { counterKHz, hasEvenCounter } from "./tsc";

const flags = (words: string) => `processor\t: 0\nflags\t\t: fpu tsc ${words}\n`;

test("a counter is a clock where it is even and the host itself goes by it", () => {
  expect(hasEvenCounter(flags("constant_tsc nonstop_tsc"), "tsc\n")).toBeTrue();
  expect(hasEvenCounter(flags("constant_tsc nonstop_tsc"), "kvm-clock\n")).toBeTrue();
  expect(hasEvenCounter(flags("constant_tsc nonstop_tsc"), "hpet\n")).toBeFalse();
  expect(hasEvenCounter(flags("constant_tsc"), "tsc\n")).toBeFalse();
  expect(hasEvenCounter("", "tsc\n")).toBeFalse();
});

test.skipIf(counterKHz() === undefined)("two measurements agree (skipped where the counter is no clock)", () => {
  const [one, other] = [counterKHz()!, counterKHz()!];
  expect(Math.abs(one - other)).toBeLessThan(one / 2_000);
});
