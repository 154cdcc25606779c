import { expect, test } from "bun:test";
import { EarlyOutput } from "./late-output";
import { outputCredit } from "./pump";

test("what comes early is kept as far as there is credit for it", () => {
  const early = new EarlyOutput();
  const piece = new Uint8Array(outputCredit / 4);
  for (let time = 0; time < 100; time++) early.push(1 + (time % 2), piece);
  expect(early.taken).toHaveLength(8);
});
