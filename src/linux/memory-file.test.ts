import { expect, test } from "bun:test";
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { memoryFile } from "./memory-file";

test("a file in memory is what it was made with, for whoever has it", () => {
  const file = memoryFile("runv-test", Buffer.from("content"));
  const again = openSync(`/proc/self/fd/${file}`, "r+");
  try {
    for (const fd of [file, again]) {
      expect(() => writeSync(fd, "C", 0)).toThrow("EPERM");
      expect(() => ftruncateSync(fd, 0)).toThrow("EPERM");
      expect(() => ftruncateSync(fd, 100)).toThrow("EPERM");
    }
    expect(readFileSync(`/proc/self/fd/${file}`, "utf8")).toBe("content");
  } finally {
    for (const fd of [file, again]) closeSync(fd);
  }
});
