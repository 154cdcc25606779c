import { expect, test } from "bun:test";
import { findMapping, runsOf } from "./saved-memory";

const size = 0x1000_0000;
const line = (start: number, end: number, mode: string, offset: number, inode: number) =>
  `${start.toString(16)}-${end.toString(16)} ${mode} ${offset.toString(16).padStart(8, "0")} 08:01 ${inode} /memory`;

test("the memory is what has its size, also in pieces", () => {
  const start = 0x7f00_0000_0000;
  const whole = line(start, start + size, "rw-p", 0, 7);
  const others = [line(0x1000, 0x2000, "r-xp", 0, 5), line(0x2000, 0x3000, "rw-p", 0x1000, 5)];
  expect(findMapping([...others, whole, ""].join("\n"), size)).toMatchObject({
    start,
    end: start + size,
    shared: false,
  });
  const middle = start + 0x2000;
  const pieces = [line(start, middle, "rw-s", 0, 7), line(middle, start + size, "rw-s", 0x2000, 7)];
  expect(findMapping(pieces.join("\n"), size)).toMatchObject({ start, end: start + size, shared: true });
  const anonymous = line(start, start + size, "rw-p", 0, 0).replace(" /memory", "");
  expect(findMapping(anonymous, size)).toMatchObject({ start, file: undefined });
});

test("what is not surely it is not taken", () => {
  const start = 0x7f00_0000_0000;
  const one = line(start, start + size, "rw-p", 0, 7);
  const gap = [line(start, start + 0x2000, "rw-p", 0, 7), line(start + 0x3000, start + size, "rw-p", 0x3000, 7)];
  const readOnly = line(start, start + size, "r--p", 0, 7);
  const two = [one, line(start + 2 * size, start + 3 * size, "rw-p", 0, 8)];
  for (const maps of [gap.join("\n"), readOnly, two.join("\n"), ""]) expect(findMapping(maps, size)).toBeUndefined();
});

test("pages that are the process's own are in memory or in swap, and no file's", () => {
  const [present, swapped, file] = [0x8000_0000, 0x4000_0000, 0x2000_0000];
  const entries = new Uint32Array([0, present, 9, present, 0, 0, 0, present + file, 0, swapped, 0, present]);
  expect(runsOf(entries, 6)).toEqual([
    [0, 2],
    [4, 6],
  ]);
  expect(runsOf(entries, 1)).toEqual([[0, 1]]);
});
