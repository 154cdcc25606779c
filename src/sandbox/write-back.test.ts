import { expect, test } from "bun:test";
import { Guest } from "../guest/guest";
import { writeBack } from "./write-back";

const never = new Promise<never>(() => {});

test("a guest that has gone, or whose machine ends, is not waited for", async () => {
  const gone = new Guest(() => {});
  gone.lost();
  expect(await writeBack(gone, never)).toBeFalse();
  expect(await writeBack(new Guest(() => {}), Promise.resolve())).toBeFalse();
});

test("a guest that is silent is given up", async () => {
  const patience = { restMs: 1, silenceMs: 20, mostMs: 60_000 };
  expect(await writeBack(new Guest(() => {}), never, undefined, patience)).toBeFalse();
});
