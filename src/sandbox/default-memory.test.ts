import { expect, test } from "bun:test";
import { defaultMemoryMiB, memorySource } from "./default-memory";

const usual = { hostMiB: 24_105, strict: false, onDemand: true, clones: true, holes: true };

test("a container without limits has a share of the host's memory, in steps", () => {
  expect(defaultMemoryMiB(usual)).toBe(4096);
  expect(defaultMemoryMiB({ ...usual, hostMiB: 7_900 })).toBe(2048);
  expect(defaultMemoryMiB({ ...usual, hostMiB: 3_900 })).toBe(1024);
  expect(defaultMemoryMiB({ ...usual, hostMiB: 960 })).toBe(256);
  expect(defaultMemoryMiB({ ...usual, hostMiB: 200 })).toBe(128);
  expect(defaultMemoryMiB({ ...usual, hostMiB: 500_000 })).toBe(4096);
});

test("machines that write the description of their memory each have less of it", () => {
  expect(defaultMemoryMiB({ ...usual, clones: false })).toBe(1024);
  expect(memorySource("tcg", "virtiofs", "/var").clones).toBe(false);
  expect(memorySource("tcg", "9p", undefined).clones).toBe(false);
  expect(memorySource("kvmtool", undefined, "/var").clones).toBe(false);
});

test("where memory is taken at once, or promised once only, it is what it takes at least", () => {
  expect(defaultMemoryMiB({ ...usual, strict: true })).toBe(128);
  expect(defaultMemoryMiB({ ...usual, onDemand: false })).toBe(128);
  expect(defaultMemoryMiB({ ...usual, holes: false })).toBe(128);
  // No template is written there.
  expect(defaultMemoryMiB({ ...usual, clones: false, holes: false })).toBe(1024);
  expect(memorySource("xen", undefined, undefined).onDemand).toBe(false);
});
