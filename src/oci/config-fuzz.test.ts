/** Configurations changed at random: whatever comes in, a configuration or a RunvError comes out. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { RunvError } from "../base/error";
import { openLog } from "../base/log";
import { readConfig } from "./config";
import { parseJson } from "./json";

const directory = new URL("../../tests/configs/", import.meta.url).pathname;
const texts = readdirSync(directory)
  .filter((file) => !/-process|-update-/.test(file))
  .map((file) => readFileSync(directory + file, "utf8"));

// What is warned of is of no interest here.
beforeAll(() => openLog({ file: "/dev/null" }));
afterAll(() => openLog({}));

/** mulberry32: the same numbers in every run, so that a failure can be seen again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const strange: unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  2 ** 64,
  2n ** 80n,
  "",
  "\0",
  "/",
  "x".repeat(70000),
  [],
  {},
];
/** A new one each time: what is put in may be changed again later. */
function strangeValue(random: (below: number) => number): unknown {
  return structuredClone(strange[random(strange.length)]);
}

const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "type", ""];

/** Changes one value somewhere below `at`, or takes it out, or puts it elsewhere. */
function mutate(at: unknown, random: (below: number) => number): void {
  if (typeof at !== "object" || at === null) return;
  const keys = Object.keys(at);
  const key = keys[random(keys.length)];
  const fields = at as Record<string, unknown>;
  if (key === undefined || random(20) === 0) fields[names[random(names.length)]!] = strangeValue(random);
  else if (random(3) > 0 && typeof fields[key] === "object") mutate(fields[key], random);
  else if (random(7) === 0) delete fields[key];
  else if (random(6) === 0) fields[key] = fields[keys[random(keys.length)]!];
  else fields[key] = strangeValue(random);
}

function outcome(read: () => unknown): "accepted" | "refused" {
  try {
    read();
    return "accepted";
  } catch (error) {
    if (error instanceof RunvError && /^[^\n]{1,400}$/.test(error.message)) return "refused";
    throw error;
  }
}

test("6000 changed documents", () => {
  const random = randomFrom(1);
  const seen = { accepted: 0, refused: 0 };
  for (let round = 0; round < 6000; round++) {
    const document = JSON.parse(texts[random(texts.length)]!);
    for (let changes = 1 + random(3); changes > 0; changes--) mutate(document, random);
    seen[outcome(() => readConfig(document))]++;
  }
  expect(seen.accepted).toBeGreaterThan(500);
  expect(seen.refused).toBeGreaterThan(500);
});

test("3000 changed texts", () => {
  const random = randomFrom(2);
  const pieces = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\",
    "\\u12",
    "\n",
    "\0",
    "1e999",
    "-",
    "00",
    "tru",
    "\ud800",
    "9".repeat(400),
  ];
  const seen = { accepted: 0, refused: 0 };
  for (let round = 0; round < 3000; round++) {
    const text = texts[random(texts.length)]!;
    const at = random(text.length);
    const changed = text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(4));
    seen[outcome(() => readConfig(parseJson(changed, "config.json")))]++;
  }
  expect(seen.refused).toBeGreaterThan(1000);
});

test("texts that nest deeply, or are long", () => {
  for (const text of ["[".repeat(200_000), '{"a":'.repeat(100_000), `${"[".repeat(100_000)}${"]".repeat(100_000)}`]) {
    expect(outcome(() => readConfig(parseJson(text, "config.json")))).toBe("refused");
  }
  const long = JSON.stringify({ ...JSON.parse(texts[0]!), future: "x".repeat(8_000_000) });
  expect(outcome(() => readConfig(parseJson(long, "config.json")))).toBe("accepted");
});
