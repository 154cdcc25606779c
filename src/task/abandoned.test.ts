import { expect, test } from "bun:test";
import { whenAbandoned } from "./abandoned";

/** What is said each time that it is asked; then no more. */
const asked = (...answers: boolean[]) => {
  let count = 0;
  return { isWanted: () => answers[count++] ?? false, times: () => count };
};

test("a shim that nobody wants twice in a row is given up, and no other", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { isWanted, times } = asked(true, false, true, false);
  whenAbandoned(isWanted, resolve, 2);
  // The timer alone keeps no process alive.
  const alive = setInterval(() => {}, 1_000);
  await promise;
  clearInterval(alive);
  expect(times()).toBe(5);
});
