import { expect, test } from "bun:test";
import { FrameType } from "./frame";
import { FrameStream } from "./frame-stream";

/** A stream whose peer takes so many bytes, and then no more until it is told to. */
function streamTo(peer: { takes: number; got: number; closed: number }, mostUnsent?: number) {
  const ends: (Error | undefined)[] = [];
  const stream = new FrameStream(1000, { frame: () => {}, close: (error) => ends.push(error) }, mostUnsent);
  stream.attach({
    write({ length }) {
      const taken = Math.min(length, peer.takes);
      peer.takes -= taken;
      peer.got += taken;
      return taken;
    },
    close: () => peer.closed++,
  });
  return { stream, ends };
}

test("what the peer does not take at once is sent when it does", () => {
  const peer = { takes: 20, got: 0, closed: 0 };
  const { stream, ends } = streamTo(peer);
  for (let i = 0; i < 3; i++) stream.send(FrameType.data, 1, new Uint8Array(84));
  expect(peer.got).toBe(20);
  stream.close();
  expect(peer.closed).toBe(0);
  for (let i = 0; i < 4; i++) {
    peer.takes = 70;
    stream.drain();
  }
  expect([peer.got, peer.closed, ends.length]).toEqual([300, 1, 0]);
});

test("a peer that takes nothing any more is given up, and nothing is kept for it", () => {
  const peer = { takes: 50, got: 0, closed: 0 };
  const { stream, ends } = streamTo(peer, 1000);
  for (let i = 0; i < 10; i++) stream.send(FrameType.data, 1, new Uint8Array(84));
  expect(ends).toEqual([]);
  for (let i = 0; i < 10; i++) stream.send(FrameType.data, 1, new Uint8Array(84));
  expect(ends).toMatchObject([{ code: "WIRE_STUCK" }]);
  peer.takes = 10_000;
  stream.drain();
  expect([peer.got, peer.closed]).toEqual([50, 1]);
});
