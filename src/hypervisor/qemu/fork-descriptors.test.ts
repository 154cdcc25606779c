import { expect, test } from "bun:test";
import { forkDescriptorsOf } from "./fork-descriptors";

test("a process with a descriptor that two cannot have is left alone, and it is named", () => {
  const child = Bun.spawn(["sleep", "100"], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe", "pipe", "pipe"] });
  try {
    const files = { console: 0, share: undefined, memory: undefined };
    expect(() => forkDescriptorsOf(child.pid, files)).toThrow(/cannot have: [56] is socket:\[\d+\]/);
  } finally {
    child.kill();
  }
});
