import { expect, test } from "bun:test";
import { LineReader } from "./lines";

test("lines come out whole however they are cut", () => {
  const bytes = Buffer.from("one\r\n\r\ntwo é\nthree");
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new LineReader(100);
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += size)
      reader.push(bytes.subarray(at, at + size), (line) => lines.push(line));
    expect(lines).toEqual(["one", "two é"]);
  }
});

test("a line without end is refused and forgotten", () => {
  const reader = new LineReader(10);
  reader.push(Buffer.from("12345"), () => {});
  expect(() => reader.push(Buffer.from("678901"), () => {})).toThrow("more than 10 bytes");
});
