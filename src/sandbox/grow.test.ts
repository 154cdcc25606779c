import { expect, test } from "bun:test";
import { portionOf } from "./grow";
import { mostFor, shapeFor } from "./shape";

test("memory comes in blocks, and in portions that what is there can describe", () => {
  expect(portionOf(128, 129)).toBe(128);
  expect(portionOf(128, 700)).toBe(512);
  expect(portionOf(128, 100_000)).toBe(512);
  expect(portionOf(32, 1000)).toBe(128);
  expect(portionOf(4096, 5000)).toBe(1024);
});

test("a machine can grow to what the host has, and begins with what its container needs", () => {
  expect(mostFor({ cpus: 1, memoryMiB: 128 }, { cpus: 4, memoryMiB: 7900 })).toEqual({ cpus: 4, memoryMiB: 8192 });
  expect(mostFor({ cpus: 6, memoryMiB: 9000 }, { cpus: 4, memoryMiB: 7900 })).toEqual({ cpus: 6, memoryMiB: 9000 });
  expect(mostFor({ cpus: 1, memoryMiB: 128 }, { cpus: 64, memoryMiB: 1024 }).cpus).toBe(16);
  expect(shapeFor(undefined, { cpus: 1, memoryMiB: 128 })).toEqual({ cpus: 1, memoryMiB: 128 });
});
