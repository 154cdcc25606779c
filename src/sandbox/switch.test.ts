import { expect, test } from "bun:test";
import { SIGKILL } from "../linux/signals";
import { encodeU32, type Frame, FrameType } from "../wire/frame";
import { FrameStream } from "../wire/frame-stream";
import { FrameSwitch } from "./switch";

/** What a guest is sent. */
function toGuest() {
  const sent: [type: number, process: number][] = [];
  const frames = new FrameSwitch((type, process, payload) => {
    expect(type !== FrameType.signal || Buffer.from(payload!).equals(encodeU32(SIGKILL))).toBe(true);
    sent.push([type, process]);
  });
  return { frames, sent };
}

const client = (number: number) => ({ number, stream: new FrameStream(1 << 20, { frame() {}, close() {} }) });
const run = (process: number): Frame => ({ type: FrameType.run, process, stream: 0, payload: new Uint8Array(8) });

test("what a client begins while nothing is passed on, ends when it has gone meanwhile", () => {
  const { frames, sent } = toGuest();
  const [stays, goes] = [client(1), client(2)];
  const [kept, ended] = [(1 << 16) + 1, (2 << 16) + 1];
  frames.hold();
  frames.fromClient(goes, run(ended));
  frames.fromClient(stays, run(kept));
  frames.abandon(goes);
  expect(sent).toEqual([]);
  frames.release();
  const { eof, signal } = FrameType;
  expect(sent).toEqual([
    [FrameType.run, ended],
    [FrameType.run, kept],
    [signal, ended],
    [eof, ended],
    [eof, ended],
  ]);
  expect(frames.processes).toEqual([ended, kept]);
});

test("a process that another client has taken over does not end with its first one", () => {
  const { frames, sent } = toGuest();
  const [first, second] = [client(1), client(2)];
  const process = (1 << 16) + 1;
  frames.fromClient(first, run(process));
  frames.hold();
  expect(frames.takeOver(second, process)).toBe(true);
  frames.abandon(first);
  frames.release();
  expect(sent).toEqual([[FrameType.run, process]]);
});
