import { expect, test } from "bun:test";
import { depthOf, lanes, readTimeline } from "./timeline";

const event = (pid: number, name: string, ts: number, dur?: number) =>
  `${JSON.stringify({ name, ph: dur === undefined ? "i" : "X", ts, dur, cat: pid === 1 ? "runv" : "shim", pid })},\n`;

const content = `[\n${event(1, "outer", 1000, 9000)}${event(2, "other", 500, 100)}${event(1, "inner", 2000, 3000)}${event(1, "moment", 4000)}`;

test("a timeline without an end is read in the order of beginnings, from zero", () => {
  const spans = readTimeline(content);
  expect(spans.map(({ name, start, duration }) => [name, start, duration])).toEqual([
    ["other", 0, 0.1],
    ["outer", 0.5, 9],
    ["inner", 1.5, 3],
    ["moment", 3.5, 0],
  ]);
});

test("one with an end is read as well", () => {
  expect(readTimeline(`${content.trimEnd().slice(0, -1)}]`)).toEqual(readTimeline(content));
});

test("spans lie in lanes by process, and within others of their own", () => {
  const [shim, runv] = lanes(readTimeline(content));
  expect(shim?.role).toBe("shim");
  expect(runv?.spans.map((span) => depthOf(span, runv))).toEqual([0, 1, 2]);
});
