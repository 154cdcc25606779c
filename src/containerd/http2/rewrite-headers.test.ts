import { expect, test } from "bun:test";
import { encodePlainly, type Field, HpackDecoder } from "./hpack";
import { HeaderRewriter } from "./rewrite-headers";

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const [DATA, HEADERS, SETTINGS, CONTINUATION] = [0, 1, 4, 9];
const [END_STREAM, END_HEADERS, PADDED, PRIORITY] = [0x1, 0x4, 0x8, 0x20];

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.set([type, flags], 3);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** The frames after the preface. */
function framesOf(bytes: Buffer): { type: number; flags: number; stream: number; payload: Buffer }[] {
  const frames = [];
  for (let at = preface.length; at < bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    frames.push({ type: bytes[at + 3]!, flags: bytes[at + 4]!, stream: bytes.readUInt32BE(at + 5), payload });
    at += 9 + length;
  }
  return frames;
}

const fields = (...pairs: [string, string][]): Field[] =>
  pairs.map(([name, value]) => [Buffer.from(name), Buffer.from(value)]);
const texts = (block: Uint8Array) => new HpackDecoder().decode(block).map(([name, value]) => `${name}: ${value}`);
const upper = (all: Field[]): Field[] => all.map(([name, value]) => [name, Buffer.from(`${value}`.toUpperCase())]);
const block = encodePlainly(fields(["a", "b"]));

test("other frames pass as they are, in whatever pieces they come", () => {
  const all = Buffer.concat([
    preface,
    frame(SETTINGS, 0, 0, Buffer.alloc(6)),
    frame(HEADERS, END_HEADERS, 1, block),
    frame(DATA, END_STREAM, 1, Buffer.alloc(40_000, 7)),
    frame(SETTINGS, 1, 0, Buffer.alloc(0)),
  ]);
  const whole = new HeaderRewriter((same) => same).take(all);
  expect(whole).toEqual(all);
  for (const size of [1, 7, 9, 1000]) {
    const rewriter = new HeaderRewriter((same) => same);
    const pieces = [];
    for (let at = 0; at < all.length; at += size) pieces.push(rewriter.take(all.subarray(at, at + size)));
    expect(Buffer.concat(pieces)).toEqual(all);
  }
});

test("a frame that passes is not waited for", () => {
  const rewriter = new HeaderRewriter((same) => same);
  const half = Buffer.concat([preface, frame(DATA, 0, 1, Buffer.alloc(1000)).subarray(0, 500)]);
  expect(rewriter.take(half)).toEqual(half);
});

test("headers are changed; priority and the end of the stream stay, padding goes", () => {
  const payload = Buffer.concat([Buffer.of(3), Buffer.from("00000000ff", "hex"), block, Buffer.alloc(3)]);
  const flags = END_STREAM | END_HEADERS | PADDED | PRIORITY;
  const out = new HeaderRewriter(upper).take(Buffer.concat([preface, frame(HEADERS, flags, 5, payload)]));
  const [headers, ...rest] = framesOf(out);
  expect(rest).toEqual([]);
  expect(headers).toMatchObject({ type: HEADERS, stream: 5, flags: END_STREAM | END_HEADERS | PRIORITY });
  expect(headers!.payload.subarray(0, 5).toString("hex")).toBe("00000000ff");
  expect(texts(headers!.payload.subarray(5))).toEqual(["a: B"]);
});

test("a block that comes in several frames, and one that leaves in several", () => {
  const parts = [block.subarray(0, 1), block.subarray(1, 1), block.subarray(1)];
  const long = (): Field[] => fields(["x", "y".repeat(50_000)]);
  const out = new HeaderRewriter(long).take(
    Buffer.concat([
      preface,
      frame(HEADERS, END_STREAM, 3, parts[0]!),
      frame(CONTINUATION, 0, 3, parts[1]!),
      frame(CONTINUATION, END_HEADERS, 3, parts[2]!),
    ]),
  );
  const frames = framesOf(out);
  expect(frames.map(({ type, flags, stream }) => [type, flags, stream])).toEqual([
    [HEADERS, END_STREAM, 3],
    [CONTINUATION, 0, 3],
    [CONTINUATION, 0, 3],
    [CONTINUATION, END_HEADERS, 3],
  ]);
  expect(texts(Buffer.concat(frames.map(({ payload }) => payload)))).toEqual([`x: ${"y".repeat(50_000)}`]);
});

test("what one request has put into the table, the next has", () => {
  const remembered = Buffer.from("4001610162", "hex");
  const out = new HeaderRewriter(upper).take(
    Buffer.concat([
      preface,
      frame(HEADERS, END_HEADERS, 1, remembered),
      frame(HEADERS, END_HEADERS, 3, Buffer.of(0xbe)),
    ]),
  );
  expect(framesOf(out).map(({ payload }) => texts(payload))).toEqual([["a: B"], ["a: B"]]);
});

for (const [what, bytes, problem] of [
  ["HTTP/1", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n"), "does not speak HTTP/2"],
  ["a header that is none", frame(HEADERS, END_HEADERS, 1, Buffer.of(0x80)), "no header has the index 0"],
  ["more padding than there is", frame(HEADERS, END_HEADERS | PADDED, 1, Buffer.of(9, 0)), "more padding"],
  ["padding without a length", frame(HEADERS, END_HEADERS | PADDED, 1, Buffer.of()), "more padding"],
  ["a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, block), "a continuation of nothing"],
  [
    "something between",
    Buffer.concat([frame(HEADERS, 0, 1, block), frame(DATA, 0, 1, block)]),
    "a frame between headers and their continuation",
  ],
  [
    "another stream's continuation",
    Buffer.concat([frame(HEADERS, 0, 1, block), frame(CONTINUATION, 4, 3, block)]),
    "a frame between headers and their continuation",
  ],
  ["a frame that is too long", frame(HEADERS, END_HEADERS, 1, Buffer.alloc(16_385)), "a frame of 16385 bytes"],
  [
    "headers without end",
    Buffer.concat([
      frame(HEADERS, 0, 1, Buffer.alloc(16_384)),
      ...Array.from({ length: 4 }, () => frame(CONTINUATION, 0, 1, Buffer.alloc(16_384))),
    ]),
    "headers that are too long",
  ],
  [
    "continuations without end",
    Buffer.concat([
      frame(HEADERS, 0, 1, block),
      ...Array.from({ length: 65 }, () => frame(CONTINUATION, 0, 1, Buffer.of())),
    ]),
    "headers that are too long",
  ],
] as const) {
  test(`refused: ${what}`, () => {
    const all = what === "HTTP/1" ? bytes : Buffer.concat([preface, bytes]);
    expect(() => new HeaderRewriter((same) => same).take(all)).toThrow(problem);
  });
}
