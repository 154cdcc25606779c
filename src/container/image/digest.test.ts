import { expect, test } from "bun:test";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { digestOf, sizeOf } from "./digest";

const mib = 1 << 20;

test("a digest tells contents apart, and not which zeros are holes", async () => {
  const directory = mkdtempSync("/tmp/runv-digest-");
  const file = async (name: string, size: number, ...pieces: [at: number, bytes: Uint8Array][]) => {
    const fd = openSync(join(directory, name), "w+");
    ftruncateSync(fd, size);
    for (const [at, bytes] of pieces) writeSync(fd, bytes, 0, bytes.length, at);
    const digest = await digestOf(fd);
    expect([sizeOf(fd), await digestOf(fd)]).toEqual([size, digest]);
    // What reads it next begins at its beginning.
    const next = Buffer.alloc(1);
    expect(writeSync(fd, next)).toBe(1);
    closeSync(fd);
    return digest;
  };
  try {
    const [x, y] = [Uint8Array.of(1), Uint8Array.of(2)];
    const sparse = await file("sparse", 9 * mib + 7, [5 * mib + 3, x]);
    const dense = await file("dense", 9 * mib + 7, [0, new Uint8Array(9 * mib + 7)], [5 * mib + 3, x]);
    expect(dense).toBe(sparse);
    const others = [
      await file("moved", 9 * mib + 7, [6 * mib + 3, x]),
      await file("other", 9 * mib + 7, [5 * mib + 3, y]),
      await file("longer", 9 * mib + 8, [5 * mib + 3, x]),
      await file("last", 9 * mib + 7, [5 * mib + 3, x], [9 * mib + 6, x]),
      await file("empty", 0),
    ];
    expect(new Set([sparse, ...others]).size).toBe(1 + others.length);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
