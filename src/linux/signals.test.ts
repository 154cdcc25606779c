import { expect, test } from "bun:test";
import { endedBy } from "./signals";

test("how a signal ended a process, in the words of Go", () => {
  expect([31, 9, 10, 6].map(endedBy)).toEqual([
    "signal: bad system call",
    "signal: killed",
    "signal: user defined signal 1",
    "signal: aborted",
  ]);
  expect(endedBy(36)).toBe("signal: RTMIN+2");
});
