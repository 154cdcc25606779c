import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeBranchRoot } from "./branch-root";

const directory = mkdtempSync(join(tmpdir(), "runv-branches-"));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function made(name: string): string {
  const path = join(directory, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "file"), "");
  return path;
}

test("what branches have together goes with the last of them, in whatever order they go", () => {
  const [one, two] = [made("one"), made("two")];
  const [first, second] = ["first", "second"].map((name) => {
    made(`${name}/users`);
    rmSync(join(directory, name, "users/file"));
    return join(directory, name);
  }) as [string, string];
  writeFileSync(join(first, "users/one"), "");
  for (const name of ["one", "two"]) writeFileSync(join(second, "users", name), "");
  removeBranchRoot({ directory: one, snapshots: [first, second] });
  expect(readdirSync(directory).sort()).toEqual(["second", "two"]);
  // It may be told twice, and of what was never made.
  removeBranchRoot({ directory: one, snapshots: [first, second] });
  expect(existsSync(second)).toBe(true);
  removeBranchRoot({ directory: two, snapshots: [second, join(directory, "never")] });
  expect(readdirSync(directory)).toEqual([]);
  removeBranchRoot({});
});
