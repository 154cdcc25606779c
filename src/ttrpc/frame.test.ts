import { describe, expect, test } from "bun:test";
import { encodeFrame, FrameDecoder, headerSize, mostPayload } from "./frame";

function decoder() {
  const seen: unknown[] = [];
  const decoder = new FrameDecoder({
    frame: ({ stream, type, payload }) => seen.push([stream, type, Buffer.from(payload).toString()]),
    tooLong: (stream, length) => seen.push(["too long", stream, length]),
  });
  return { seen, push: (bytes: Uint8Array) => decoder.push(bytes) };
}

const frame = (stream: number, text: string, type = 1) => encodeFrame({ stream, type, payload: Buffer.from(text) });

function header(length: number, stream: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(headerSize));
  bytes.setUint32(0, length);
  bytes.setUint32(4, stream);
  bytes.setUint8(8, 1);
  return new Uint8Array(bytes.buffer);
}

test("a frame is ten bytes, big endian, and its payload", () => {
  expect(Buffer.from(frame(3, "ab", 2)).toString("hex")).toBe("0000000200000003020061" + "62");
});

describe("frames come out of pieces", () => {
  const all = Buffer.concat([frame(1, "one"), frame(3, ""), frame(5, "x".repeat(100_000)), frame(7, "last")]);
  const expected = [
    [1, 1, "one"],
    [3, 1, ""],
    [5, 1, "x".repeat(100_000)],
    [7, 1, "last"],
  ];
  test.each([1, 2, 9, 10, 11, 4096, all.length])("of %i bytes", (size) => {
    const { seen, push } = decoder();
    for (let at = 0; at < all.length; at += size) push(all.subarray(at, at + size));
    expect(seen).toEqual(expected);
  });

  test("whose memory is used again", () => {
    const { seen, push } = decoder();
    const piece = new Uint8Array(1);
    for (const byte of frame(1, "kept")) {
      piece[0] = byte;
      push(piece);
    }
    expect(seen).toEqual([[1, 1, "kept"]]);
  });
});

test("a payload that is too long is passed over, and what follows is read", () => {
  const { seen, push } = decoder();
  push(header(mostPayload + 1, 9));
  for (let left = mostPayload + 1; left > 0; left -= 65_536) push(new Uint8Array(Math.min(65_536, left)));
  push(frame(11, "next"));
  expect(seen).toEqual([
    ["too long", 9, mostPayload + 1],
    [11, 1, "next"],
  ]);
});

test("a header that promises much takes no memory for it", () => {
  const before = process.memoryUsage.rss();
  const decoders = Array.from({ length: 1000 }, () => decoder());
  for (const { push } of decoders) push(header(mostPayload, 1));
  expect(process.memoryUsage.rss() - before).toBeLessThan(200 << 20);
  expect(decoders.flatMap(({ seen }) => seen)).toEqual([]);
});
