import { afterAll, afterEach, expect, test } from "bun:test";
import { closeSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makePipe } from "../linux/pipe";
import { socketPair } from "../linux/unix-socket";
import { ConsoleLog, consoleName, consoleTail, pipedConsole } from "./console";

const directory = mkdtempSync(join(tmpdir(), "runv-console-"));
const path = join(directory, consoleName);
afterEach(() => rmSync(path, { force: true }));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function say(text: string): Promise<void> {
  const { log, writing } = pipedConsole(directory);
  writeSync(writing, text);
  closeSync(writing);
  await log.ended;
}

test("the log is appended to, for root alone, and its end is read without what drives a terminal", async () => {
  await say("one\r\ntwo\r\n");
  await say("\u001b]0;title\u0007\u202ethree\n\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(consoleTail(path, 2)).toEqual(["two", "\\x1b]0;title\\x07\\u202ethree"]);
});

test("no log has no lines", () => {
  expect(consoleTail(path)).toEqual([]);
});

test("a log never holds more than it may: its beginning goes, wherever its directory is now", async () => {
  const [reading, writing] = makePipe();
  const log = new ConsoleLog(directory, reading, { most: 1000, kept: 100 });
  const moved = `${directory}-moved`;
  renameSync(directory, moved);
  const sizes: number[] = [];
  try {
    for (let i = 0; i < 500; i++) {
      writeSync(writing, `line ${i}\n`);
      if (i % 10 === 0) await Bun.sleep(0);
      sizes.push(statSync(join(moved, consoleName)).size);
    }
    closeSync(writing);
    await log.ended;
  } finally {
    renameSync(moved, directory);
  }
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1000);
  const text = readFileSync(path, "utf8");
  expect(text).toStartWith("[runv: the beginning was cut off]\nline ");
  expect(text).toEndWith("line 499\n");
});

test("a socket's words are in the log when its other end has gone", async () => {
  const [ours, theirs] = socketPair();
  const log = new ConsoleLog(directory, ours);
  const stdio = ["ignore", theirs, "ignore"] as const;
  const child = Bun.spawn(["sh", "-c", "echo one; sleep 0.1; echo two"], { stdio: [...stdio] });
  closeSync(theirs);
  await log.ended;
  expect(await child.exited).toBe(0);
  expect(consoleTail(path)).toEqual(["one", "two"]);
});
