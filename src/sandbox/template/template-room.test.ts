import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkTemplates, roomProblem, templateSizeMiB } from "./template-room";

const directory = mkdtempSync(join(tmpdir(), "runv-room-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));

test("a directory that is not there yet is looked for above", () => {
  expect(roomProblem(`${directory}/not/yet`, 1, 1)).toBeUndefined();
  expect(roomProblem(`${directory}/not/yet`, 2 ** 40, 1)).toStartWith(`${directory} has `);
});

test("a place where nobody can write says so", () => {
  expect(roomProblem("/proc/sys/not/there", 1, 1)).toMatch(/^\/proc\/sys (cannot be written to|has 0 MiB free)/);
  expect(checkTemplates(undefined, 128)).toEqual([]);
  const settings = { directory: "/proc/sys/not/there", budgetMiB: 1, idleSeconds: 0, reserveMiB: 0 };
  expect(checkTemplates(settings, 128)).toMatchObject([{ status: "warning", subject: "templates" }]);
});

test("what a kernel leaves alone takes no room", () => {
  expect(templateSizeMiB("/", 64)).toBe(65);
  expect(templateSizeMiB("/", 65_536)).toBeLessThan(4096);
});
