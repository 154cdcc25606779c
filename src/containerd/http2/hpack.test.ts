import { expect, test } from "bun:test";
import { encodePlainly, HpackDecoder } from "./hpack";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const decode = (decoder: HpackDecoder, text: string) =>
  decoder.decode(hex(text)).map(([name, value]) => `${name}: ${value}`);

const request = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];

for (const [form, blocks] of [
  [
    "in plain text",
    [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
  ],
  [
    "in Huffman's code",
    [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
  ],
] as const) {
  test(`three requests of a connection, ${form}: RFC 7541, appendices C.3 and C.4`, () => {
    const decoder = new HpackDecoder();
    expect(decode(decoder, blocks[0])).toEqual(request);
    expect(decode(decoder, blocks[1])).toEqual([...request, "cache-control: no-cache"]);
    expect(decode(decoder, blocks[2])).toEqual([
      ":method: GET",
      ":scheme: https",
      ":path: /index.html",
      ":authority: www.example.com",
      "custom-key: custom-value",
    ]);
  });
}

test("a table that becomes smaller forgets the oldest; one of no bytes, all", () => {
  const decoder = new HpackDecoder();
  const entry = (letter: string) => `40 01 ${Buffer.from(letter).toString("hex")} 01 31`;
  expect(decode(decoder, `${entry("a")}${entry("b")} bf be`)).toEqual(["a: 1", "b: 1", "a: 1", "b: 1"]);
  // Each entry counts 34.
  expect(decode(decoder, "3f 0f be")).toEqual(["b: 1"]);
  expect(() => decode(decoder, "bf")).toThrow("no header has the index 63");
  expect(decode(decoder, "20")).toEqual([]);
  expect(() => decode(decoder, "be")).toThrow("no header has the index 62");
});

test("an entry that is larger than the table empties it", () => {
  const decoder = new HpackDecoder();
  expect(decode(decoder, `40 01 61 7f e1 1f ${"78".repeat(4192)}`)).toHaveLength(1);
  expect(() => decode(decoder, "be")).toThrow("no header has the index 62");
});

test("literals that are not remembered, with a name from the table and with their own", () => {
  const decoder = new HpackDecoder();
  expect(decode(decoder, "04 02 2f78 14 02 2f79 0001610162 1001610163")).toEqual([
    ":path: /x",
    ":path: /y",
    "a: b",
    "a: c",
  ]);
});

for (const [what, block, problem] of [
  ["index 0", "80", "no header has the index 0"],
  ["an index that nobody gave", "be", "no header has the index 62"],
  ["an integer without end", "ff ff ff ff ff ff", "an integer that is too large"],
  ["an integer cut off", "ff", "a header that ends too early"],
  ["a string cut off", "00 05 6162", "a string that ends too early"],
  ["a table that nobody allowed", "3f e2 1f", "a table of 4097 bytes"],
  ["a table that changes late", "82 20", "the table's size changes after a header"],
  ["the end of a string in a string", "00 84 ffff ffff 0161", "the end of a string in it"],
  ["a byte of padding", "00 82 07ff 00", "a string that does not end with ones"],
  ["padding with zeros", "00 81 18 00", "a string that does not end with ones"],
] as const) {
  test(`refused: ${what}`, () => expect(() => new HpackDecoder().decode(hex(block))).toThrow(problem));
}

test("what is written plainly is read again, without a table", () => {
  const fields = [":path", "x".repeat(127), "y".repeat(70_000)].map(
    (name) => [Buffer.from(name), Buffer.from(name)] as const,
  );
  const block = encodePlainly(fields);
  const decoder = new HpackDecoder();
  for (let time = 0; time < 2; time++) {
    expect(decoder.decode(block).map(([name]) => name.toString())).toEqual(fields.map(([name]) => name.toString()));
  }
  expect(() => decoder.decode(hex("be"))).toThrow();
});

test("a short block does not stand for more than a request has", () => {
  const decoder = new HpackDecoder();
  const length = 4000;
  decoder.decode(Buffer.concat([encodePlainly([[Buffer.from("a"), Buffer.alloc(length, "b")]]).fill(0x40, 0, 1)]));
  expect(decoder.decode(Buffer.alloc(8, 0xbe))).toHaveLength(8);
  expect(() => decoder.decode(Buffer.alloc(100, 0xbe))).toThrow("headers that are too long");
});
