import { expect, test } from "bun:test";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemError } from "../linux/local";
import { attachTree } from "./tree";

test("what is no tree is not attached, and leaves nothing", () => {
  const directory = mkdtempSync(join(tmpdir(), "runv-tree-"));
  const target = `${directory}/container/rootfs`;
  const file = openSync("/dev/null", "r");
  expect(() => attachTree(process.pid, file, target, true)).toThrow(SystemError);
  expect(() => attachTree(process.pid, 999_999, target, false)).toThrow(SystemError);
  expect(existsSync(target)).toBe(false);
  closeSync(file);
  rmSync(directory, { recursive: true });
});
