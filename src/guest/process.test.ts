import { expect, test } from "bun:test";
import { Program } from "../program/program";
import { encodeU32, FrameType } from "../wire/frame";
import { GuestProcess } from "./process";

test("a guest that repeats the last words of a process is heard once", async () => {
  const heard: string[] = [];
  const process = new GuestProcess(1, new Program(new Uint8Array(40), []), () => {}, {
    exit: (status) => heard.push(`exit ${status}`),
    closed: () => heard.push("closed"),
  });
  const take = (type: number, payload: Uint8Array = Buffer.of()) =>
    process.take({ process: 1, type, stream: 0, payload });
  for (const status of [7, 9, 7]) take(FrameType.exit, encodeU32(status));
  for (let time = 0; time < 3; time++) take(FrameType.closed);
  expect(heard).toEqual(["exit 7", "closed"]);
  expect(await process.exited).toBe(7);
});
