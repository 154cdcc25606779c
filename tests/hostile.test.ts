/** A guest that has been taken over says whatever it likes: nothing that reads from it may crash, hang or grow. */
import { expect, test } from "bun:test";
import { decodeHello, Guest } from "../src/guest/guest";
import { Program } from "../src/program/program";
import { FrameSwitch } from "../src/sandbox/switch";
import { FrameDecoder } from "../src/wire/decoder";
import { encodeFrame, type Frame, FrameType, maxFromGuest } from "../src/wire/frame";
import { FrameStream } from "../src/wire/frame-stream";

/** RUNV_TEST_FUZZ: how many streams are tried. */
const rounds = Number(process.env.RUNV_TEST_FUZZ ?? 4000);

/** Numbers that come again with their seed (mulberry32), so that a failure can be repeated. */
class Chance {
  constructor(private state: number) {}

  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) % limit) | 0;
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

const types = [...Object.values(FrameType), 0, 4, 15, 42, 64, 65, 66, 96, 255];
const handles = [0, 1, 2, 0xffff, 0x10000, 0x10001, 0x10002, 0x1ffff, 0x20001, 0xffffffff];

function frame(chance: Chance): Uint8Array {
  const payload = chance.of([0, 1, 3, 4, 7, 8, 9, 100, 5000]);
  const bytes = encodeFrame(
    chance.of(types),
    chance.of(handles),
    chance.bytes(chance.below(payload + 1)),
    chance.below(5),
  );
  for (let i = chance.below(40) === 0 ? 3 : 0; i > 0; i--)
    bytes[chance.below(Math.min(16, bytes.length))] = chance.below(256);
  return bytes;
}

/** A stream of frames, mostly good, cut at any place. */
function* chunks(chance: Chance): Generator<Uint8Array> {
  const all = Buffer.concat(Array.from({ length: 1 + chance.below(30) }, () => frame(chance)));
  for (let at = 0; at < all.length; ) {
    const length = 1 + chance.below(chance.of([2, 20, 3000, 100_000]));
    yield all.subarray(at, at + length);
    at += length;
  }
}

const program = new Program(new Uint8Array(40), [{ doing: "nothing" }]);
const heap = () => {
  Bun.gc(true);
  return process.memoryUsage().heapUsed;
};

/** Does something with many streams; what is kept of them must not add up. */
function fuzz(name: string, one: (chance: Chance) => void): void {
  test(name, () => {
    for (let seed = 0; seed < rounds / 10; seed++) one(new Chance(seed));
    const before = heap();
    for (let seed = 0; seed < rounds; seed++) one(new Chance(seed));
    expect(heap() - before).toBeLessThan(8 << 20);
  });
}

fuzz("the decoder gives frames within their bounds, or one error", (chance) => {
  const decoder = new FrameDecoder(maxFromGuest);
  try {
    for (const chunk of chunks(chance)) {
      decoder.push(chunk, ({ payload, process, type, stream }) => {
        expect(payload.length).toBeLessThanOrEqual(maxFromGuest);
        expect(process >= 0 && process <= 0xffffffff && type < 256 && stream < 256).toBeTrue();
      });
    }
  } catch (error) {
    expect(error).toMatchObject({ code: "WIRE_BAD_FRAME" });
  }
});

fuzz("noise ends a stream once, with an error", (chance) => {
  let closed = 0;
  const stream = new FrameStream(maxFromGuest, { frame: () => {}, close: () => closed++ });
  for (let i = 0; i < 5; i++) stream.take(chance.bytes(chance.below(300)));
  stream.end();
  expect(closed).toBe(1);
});

fuzz("a guest's processes reach their ends, whatever it says of them", (chance) => {
  const guest = new Guest(() => {});
  const seen = { data: 0, closed: 0 };
  const processes = [1, 2, 3].map(() =>
    guest.run(program, {
      data: (_, bytes) => {
        seen.data += bytes.length;
      },
      closed: () => seen.closed++,
    }),
  );
  for (const process of processes) for (let i = 0; i < 3; i++) process.next().catch(() => {});
  const stream = new FrameStream(maxFromGuest, { frame: (frame) => guest.take(frame), close: () => guest.lost() });
  for (const chunk of chunks(chance)) stream.take(chunk);
  stream.end();
  expect(seen.closed).toBeLessThanOrEqual(3);
});

fuzz("the switch gives clients frames of their own processes only, and the guest those of clients", (chance) => {
  const toGuest: number[] = [];
  const frames = new FrameSwitch((_, process) => toGuest.push(process));
  const received = new Map<number, Frame[]>();
  const clients = [1, 2].map((number) => {
    received.set(number, []);
    const channel = { write: (bytes: Uint8Array) => bytes.length, close: () => {} };
    const stream = new FrameStream(maxFromGuest, { frame: () => {}, close: () => {} });
    stream.attach(channel);
    const send = stream.send.bind(stream);
    stream.send = (type, process, payload, on) => {
      received.get(number)!.push({ type, process, stream: on ?? 0, payload: payload ?? new Uint8Array() });
      send(type, process, payload, on);
    };
    return { number, stream };
  });
  for (const client of clients) {
    for (let i = 1; i < 3; i++) {
      frames.fromClient(client, {
        type: FrameType.run,
        process: (client.number << 16) + i,
        stream: 0,
        payload: program.bytes,
      });
    }
  }
  void frames.go(0x10001);
  const decoder = new FrameDecoder(maxFromGuest);
  try {
    for (const chunk of chunks(chance)) decoder.push(chunk, (frame) => frames.fromGuest(frame));
  } catch {}
  for (const [number, mine] of received) for (const { process } of mine) expect(process >>> 16).toBe(number);
  for (const client of clients) frames.abandon(client);
  for (const process of toGuest) expect([1, 2]).toContain(process >>> 16);
});

fuzz("a hello is read or it is none; its release has nothing that a terminal would obey", (chance) => {
  const bytes = frame(chance);
  if (chance.below(2) === 0) bytes[8] = FrameType.hello;
  const hello = decodeHello({ type: bytes[8]!, process: 0, stream: 0, payload: bytes.subarray(16) });
  if (hello !== undefined) expect(hello.release).toMatch(/^[\x20-\x7e]{0,128}$/);
});

test("a guest that answers without end is cut off", async () => {
  const guest = new Guest(() => {});
  const run = guest.run(program);
  const answer = run.next();
  const payload = new Uint8Array(maxFromGuest);
  for (let i = 0; i < 1000; i++) guest.take({ type: FrameType.output, process: run.handle, stream: 0, payload });
  await expect(answer).rejects.toMatchObject({ code: "GUEST_MISBEHAVES" });
  const before = heap();
  for (let i = 0; i < 10_000; i++) guest.take({ type: FrameType.output, process: run.handle, stream: 0, payload });
  for (let i = 0; i < 100_000; i++) guest.take({ type: FrameType.stopped, process: run.handle, stream: 0, payload });
  expect(heap() - before).toBeLessThan(20 << 20);
});
