import { afterAll, expect, test } from "bun:test";
import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { consoleName, consoleTail, keepConsoleShort, openConsole } from "./console";

const directory = mkdtempSync(join(tmpdir(), "runv-console-"));
const path = join(directory, consoleName);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("the log is appended to, for root alone, and its end is read without what drives a terminal", () => {
  for (const text of ["one\r\ntwo\r\n", "\u001b]0;title\u0007\u202ethree\n\n"]) {
    const fd = openConsole(directory);
    writeSync(fd, text);
    closeSync(fd);
  }
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(consoleTail(path, 2)).toEqual(["two", "\\x1b]0;title\\x07\\u202ethree"]);
});

test("no log has no lines", () => {
  expect(consoleTail(join(directory, "none"))).toEqual([]);
});

test("a log that is too long is cut down to its last lines, while it is written to", async () => {
  writeFileSync(path, "");
  const fd = openConsole(directory);
  const stop = keepConsoleShort(path, { most: 1000, kept: 100, everyMs: 5 });
  for (let i = 0; i < 200; i++) writeSync(fd, `line ${i}\n`);
  await Bun.sleep(30);
  writeSync(fd, "after\n");
  stop();
  closeSync(fd);
  const text = readFileSync(path, "utf8");
  expect(text.length).toBeLessThan(200);
  expect(text).toStartWith("[runv: the beginning was cut off]\nline ");
  expect(text).toEndWith("line 199\nafter\n");
});
