import { expect, test } from "bun:test";
import { defaultMemoryMiB, memorySource } from "./default-memory";

const usual = { hostMiB: 24_105, strict: false, clones: true, holes: true };

test("a container without limits has a share of the host's memory, in steps", () => {
  expect(defaultMemoryMiB(usual)).toBe(4096);
  expect(defaultMemoryMiB({ ...usual, hostMiB: 7_900 })).toBe(2048);
  expect(defaultMemoryMiB({ ...usual, hostMiB: 3_900 })).toBe(1024);
  expect(defaultMemoryMiB({ ...usual, hostMiB: 960 })).toBe(256);
  expect(defaultMemoryMiB({ ...usual, hostMiB: 200 })).toBe(128);
  expect(defaultMemoryMiB({ ...usual, hostMiB: 500_000 })).toBe(4096);
});

test("machines that are no clones have the least: each would write the description of its memory itself", () => {
  expect(defaultMemoryMiB({ ...usual, clones: false })).toBe(128);
  expect(memorySource("tcg", undefined, "/var").clones).toBe(true);
  expect(memorySource("tcg", "virtiofs", "/var").clones).toBe(false);
  expect(memorySource("tcg", "9p", undefined).clones).toBe(false);
  for (const driver of ["kvmtool", "xen", "libvirt"])
    expect(memorySource(driver, undefined, "/var").clones).toBe(false);
});

test("where memory is promised once only, or a template has all of it, it is the least", () => {
  expect(defaultMemoryMiB({ ...usual, strict: true })).toBe(128);
  expect(defaultMemoryMiB({ ...usual, holes: false })).toBe(128);
});
