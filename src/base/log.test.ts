import { expect, test } from "bun:test";
import { formatLine } from "./log";

const now = new Date("2026-11-22T05:03:24.999Z");

test("text, as logrus writes it", () => {
  expect(formatLine("text", "error", "container does not exist", {}, now)).toBe(
    'time="2026-11-22T05:03:24Z" level=error msg="container does not exist"',
  );
  expect(formatLine("text", "info", "done", { code: "X_Y", none: undefined }, now)).toBe(
    'time="2026-11-22T05:03:24Z" level=info msg=done code=X_Y',
  );
});

test("json: what containerd takes the last error from", () => {
  expect(formatLine("json", "error", 'a "b"', { code: "X" }, now)).toBe(
    '{"code":"X","level":"error","msg":"a \\"b\\"","time":"2026-11-22T05:03:24Z"}',
  );
});

test("what a guest says cannot drive a terminal, nor begin a line", () => {
  const hostile = 'x\x1b]0;owned\x07\r\n\x9b31m\u202e"\\';
  expect(formatLine("text", "error", hostile, {}, now)).toEndWith(
    String.raw`msg="x\x1b]0;owned\x07\x0d\n\x9b31m\u202e\"\\"`,
  );
  expect(JSON.parse(formatLine("json", "error", hostile, {}, now)).msg).toBe(
    'x\\x1b]0;owned\\x07\\x0d\n\\x9b31m\\u202e"\\',
  );
});
