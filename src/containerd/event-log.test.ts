import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Event, EventLog } from "./event-log";

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "runv-test-"));
  path = join(directory, "events.log");
});

afterEach(() => rmSync(directory, { recursive: true }));

function all(log: EventLog): Event[] {
  return Array.from({ length: log.end - log.after(0n) }, (_, index) => log.at(log.after(0n) + index)!);
}

test("events are kept for the next daemon, in order, with times that grow", () => {
  const log = new EventLog(path);
  log.append({ type: "start-container", id: "a", key: "k", at: 1000n });
  log.append({ type: "exit", id: "a", pid: "init", status: 3, key: "k", at: 900n });
  log.append({ type: "exit", id: "b", pid: "init", key: "l", at: 5000n });
  const events = all(new EventLog(path));
  expect(events.map(({ at }) => at)).toEqual([1000n, 1001n, 5000n]);
  expect(events[1]).toEqual({ type: "exit", id: "a", pid: "init", status: 3, key: "k", at: 1001n });
  expect(new EventLog(path).has("exit", "k")).toBe(true);
  expect(new EventLog(path).has("exit", "other")).toBe(false);
  const again = new EventLog(path);
  expect(again.at(again.after(1001n))?.id).toBe("b");
  expect(again.after(5000n)).toBe(again.end);
});

test("a line that was cut off is no event, and no trouble for the next", () => {
  new EventLog(path).append({ type: "pause", id: "a" });
  appendFileSync(path, '{"type":"exit","id":"a","pi');
  new EventLog(path).append({ type: "resume", id: "a" });
  expect(all(new EventLog(path)).map(({ type }) => type)).toEqual(["pause", "resume"]);
});

test("it does not grow for ever, neither here nor on disk", () => {
  const log = new EventLog(path);
  let told = 0;
  const unlisten = log.listen(() => told++);
  for (let index = 0; index < 10_000; index++) log.append({ type: "oom", id: String(index) });
  unlisten();
  log.append({ type: "oom", id: "last" });
  expect(told).toBe(10_000);
  expect(log.at(0)).toBeUndefined();
  expect(all(log)).toHaveLength(4096);
  expect(readFileSync(path, "utf8").split("\n").length).toBeLessThan(2 * 4096 + 2);
  expect(all(new EventLog(path))).toEqual(all(log));
});

test("what cannot be written for a while goes nowhere else, and is written later", () => {
  const log = new EventLog(path);
  rmSync(directory, { recursive: true });
  // More than a file is to have: it is to be written anew, which fails.
  for (let index = 0; index < 9000; index++) log.append({ type: "pause", id: String(index) });
  const other = mkdtempSync(join(tmpdir(), "runv-test-"));
  try {
    const files = Array.from({ length: 4 }, (_, index) => join(other, String(index)));
    const descriptors = files.map((file) => openSync(file, "w"));
    log.append({ type: "pause", id: "away" });
    for (const fd of descriptors) closeSync(fd);
    expect(files.map((file) => readFileSync(file, "utf8"))).toEqual(["", "", "", ""]);
  } finally {
    rmSync(other, { recursive: true });
  }
  mkdirSync(directory);
  log.append({ type: "resume", id: "back" });
  expect(
    all(new EventLog(path))
      .map(({ id }) => id)
      .slice(-2),
  ).toEqual(["away", "back"]);
});
