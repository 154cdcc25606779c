import { expect, test } from "bun:test";
import { FrameDecoder } from "./decoder";
import { decodeU32, encodeFrame, encodeU32, type Frame, FrameType, maxFromGuest } from "./frame";

const copy = (frame: Frame): Frame => ({ ...frame, payload: frame.payload.slice() });

test("frames come out whole however the stream is cut", () => {
  const payloads = [new Uint8Array(0), encodeU32(7), new Uint8Array(60000).fill(3), encodeU32(1, 2)];
  const stream = Buffer.concat(payloads.map((payload, i) => encodeFrame(FrameType.data, i + 1, payload, i % 3)));
  for (const size of [1, 3, 15, 16, 17, 4096, stream.length]) {
    const decoder = new FrameDecoder(maxFromGuest);
    const frames: Frame[] = [];
    for (let at = 0; at < stream.length; at += size) {
      decoder.push(stream.subarray(at, at + size), (frame) => frames.push(copy(frame)));
    }
    expect(frames.map(({ process, stream }) => [process, stream])).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 0],
    ]);
    expect(
      frames.map(({ payload }) => Buffer.compare(payload, payloads[frames.findIndex((f) => f.payload === payload)]!)),
    ).toEqual([0, 0, 0, 0]);
  }
});

test("a frame beyond the bound and reserved bytes are refused, whole or in pieces", () => {
  const large = encodeFrame(FrameType.data, 1);
  new DataView(large.buffer).setUint32(0, maxFromGuest + 1, true);
  const reserved = encodeFrame(FrameType.data, 1);
  reserved[12] = 1;
  for (const bad of [large, reserved]) {
    expect(() => new FrameDecoder(maxFromGuest).push(bad, () => {})).toThrow("a frame");
    const decoder = new FrameDecoder(maxFromGuest);
    decoder.push(bad.subarray(0, 15), () => {});
    expect(() => decoder.push(bad.subarray(15), () => {})).toThrow("a frame");
  }
});

test("numbers of a short payload are undefined", () => {
  expect(decodeU32(encodeU32(1, 2), 1)).toBe(2);
  expect(decodeU32(encodeU32(1), 1)).toBeUndefined();
  expect(decodeU32(new Uint8Array(3))).toBeUndefined();
});

test("random bytes give frames or WIRE_BAD_FRAME, and never hold more than a frame", () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const bytes = randomBytes(seed, 200);
    const decoder = new FrameDecoder(256);
    try {
      for (let at = 0; at < bytes.length; at += 1 + (seed % 40)) {
        decoder.push(bytes.subarray(at, at + 1 + (seed % 40)), (frame) =>
          expect(frame.payload.length).toBeLessThanOrEqual(256),
        );
      }
    } catch (error) {
      expect(error).toHaveProperty("code", "WIRE_BAD_FRAME");
    }
  }
});

/** Bytes that are mostly small, so that some headers are good (xorshift32: the same for the same seed). */
function randomBytes(seed: number, length: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state % 3 === 0 ? state & 0xff : 0;
  });
}
