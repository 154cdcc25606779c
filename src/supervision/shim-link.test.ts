import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { ShimType } from "../container/shim/shim-messages";
import { identityOf } from "../linux/identity";
import { decodeU32, maxToGuest } from "../wire/frame";
import { listenFrames } from "../wire/frame-socket";
import { ShimLink } from "./shim-link";

test("what is said before the shim is connected is said when it is", async () => {
  const directory = mkdtempSync("/tmp/shim-link-");
  const { promise: said, resolve } = Promise.withResolvers<void>();
  const frames: (number | undefined)[][] = [];
  const stop = listenFrames(`${directory}/control`, maxToGuest, () => ({
    frame: ({ type, payload }) => {
      frames.push([type, decodeU32(payload, 0), decodeU32(payload, 1)]);
      if (type === ShimType.closeStdin) resolve();
    },
    close: () => {},
  }));
  try {
    const link = new ShimLink(directory, identityOf(process.pid)!);
    link.resize(21, 88);
    link.signal(10);
    link.closeStdin();
    await said;
    expect(frames).toEqual([
      [ShimType.resize, 21, 88],
      [ShimType.signal, 10, undefined],
      [ShimType.closeStdin, undefined, undefined],
    ]);
  } finally {
    stop();
    rmSync(directory, { recursive: true });
  }
});
