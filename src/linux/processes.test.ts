import { expect, test } from "bun:test";
import { identityOf } from "./identity";
import { waitForEnd } from "./processes";

test("waiting for a process's end outlives signals", () => {
  const ignore = () => {};
  process.on("SIGWINCH", ignore);
  // It signals its parent while that waits, which interrupts the wait.
  const script = 'for i in 1 2 3 4 5 6 7 8 9 10; do kill -WINCH "$PPID"; sleep 0.02; done';
  const child = Bun.spawn(["sh", "-c", script], { stdio: ["ignore", "ignore", "ignore"] });
  try {
    expect(waitForEnd(identityOf(child.pid)!, 60_000)).toBe(true);
  } finally {
    process.off("SIGWINCH", ignore);
  }
});

test("waiting has an end", async () => {
  const child = Bun.spawn(["sleep", "100"]);
  expect(waitForEnd(identityOf(child.pid)!, 10)).toBe(false);
  child.kill();
  await child.exited;
});
