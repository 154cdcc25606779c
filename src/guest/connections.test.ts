import { expect, test } from "bun:test";
import { idsIn } from "./connections";

/** What the kernel says of a connection (struct inet_diag_msg). */
function message(family: number, source: number[], destination: number[]): Uint8Array {
  const bytes = new Uint8Array(16 + 72);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, 20, true);
  bytes.set([family, 1], 16);
  bytes.set(source, 16 + 4 + 4);
  bytes.set(destination, 16 + 4 + 20);
  return bytes;
}

const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

test("connections with others are found, and those with itself are left alone", () => {
  const outside = message(2, [10, 0, 0, 2], [10, 0, 0, 1]);
  const list = Buffer.concat([
    message(2, [127, 0, 0, 1], [127, 0, 0, 1]),
    outside,
    message(2, [10, 0, 0, 2], [10, 0, 0, 2]),
  ]);
  expect(idsIn(list, 2)).toEqual([outside.slice(20, 68)]);
  const six = [
    message(10, [...mapped, 127, 0, 0, 1], [...mapped, 127, 0, 0, 2]),
    message(10, [...mapped, 10, 0, 0, 2], [...mapped, 10, 0, 0, 1]),
  ];
  expect(idsIn(Buffer.concat(six), 10)).toEqual([six[1]!.slice(20, 68)]);
});

test("what is cut, or of another kind, is nothing", () => {
  const one = message(2, [10, 0, 0, 2], [10, 0, 0, 1]);
  expect(idsIn(one.subarray(0, 40), 2)).toEqual([]);
  expect(idsIn(one, 10)).toEqual([]);
});
