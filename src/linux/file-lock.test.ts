import { expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isStill, tryLock } from "./file-lock";

const directory = mkdtempSync(join(tmpdir(), "runv-lock-"));
const path = join(directory, "lock");

test("a lock is had by one at a time, and ends with its descriptor", () => {
  const [one, other] = [openSync(path, "w"), openSync(path, "w")];
  expect([tryLock(one), tryLock(other)]).toEqual([true, false]);
  closeSync(one);
  expect(tryLock(other)).toBe(true);
  closeSync(other);
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
