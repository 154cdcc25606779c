import { expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isStill, tryLock, tryLockOpened } from "./file-lock";
import { takeDescriptor } from "./take-descriptor";

const directory = mkdtempSync(join(tmpdir(), "runv-lock-"));
const path = join(directory, "lock");

test("a lock is had by one at a time, and ends with its descriptor", () => {
  const [one, other] = [openSync(path, "w"), openSync(path, "w")];
  expect([tryLock(one), tryLock(other)]).toEqual([true, false]);
  closeSync(one);
  expect(tryLock(other)).toBe(true);
  closeSync(other);
});

test("who writes has a file alone, and it goes with the last descriptor of that opening", () => {
  writeFileSync(path, "");
  const [writer, reader, other] = [openSync(path, "r+"), openSync(path, "r"), openSync(path, "r")];
  expect(tryLockOpened(writer, false)).toBe(true);
  expect(tryLockOpened(reader, true)).toBe(false);
  const copy = takeDescriptor(process.pid, writer);
  closeSync(writer);
  expect(tryLockOpened(reader, true)).toBe(false);
  closeSync(copy);
  expect([tryLockOpened(reader, true), tryLockOpened(other, true)]).toEqual([true, true]);
  const late = openSync(path, "r+");
  expect(tryLockOpened(late, false)).toBe(false);
  for (const fd of [reader, other]) closeSync(fd);
  expect(tryLockOpened(late, false)).toBe(true);
  closeSync(late);
});

test("a file that was removed or replaced is not at its path any more", () => {
  const fd = openSync(path, "w");
  expect(isStill(fd, path)).toBe(true);
  rmSync(path);
  expect(isStill(fd, path)).toBe(false);
  writeFileSync(path, "");
  expect(isStill(fd, path)).toBe(false);
  rmSync(directory, { recursive: true });
  expect(isStill(fd, path)).toBe(false);
  closeSync(fd);
});
