import { expect, test } from "bun:test";
import { closeSync, constants, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GuestProcess } from "../../guest/process";
import { Program } from "../../program/program";
import { FrameType } from "../../wire/frame";
import { OutputPump, outputCredit } from "./pump";

/** The types of the frames that a process's guest is sent. */
function processTold(): { process: GuestProcess; told: number[] } {
  const told: number[] = [];
  return { told, process: new GuestProcess(1, new Program(new Uint8Array(40), []), (type) => told.push(type), {}) };
}

test("what is within the credit is written, and granted again", async () => {
  const path = join(tmpdir(), `runv-pump-${process.pid}`);
  const fd = openSync(path, "w");
  const { process: guest, told } = processTold();
  const pump = new OutputPump(fd, 1, guest);
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 4; i++) pump.push(new Uint8Array(outputCredit / 4).fill(round));
    await pump.drained();
  }
  closeSync(fd);
  expect(readFileSync(path).length).toBe(4 * outputCredit);
  expect(new Set(told)).toEqual(new Set([FrameType.credit]));
  rmSync(path);
});

test("a guest that sends more than it has credit for is heard no more, and fills no memory", async () => {
  const path = join(tmpdir(), `runv-fifo-${process.pid}`);
  Bun.spawnSync(["mkfifo", path]);
  // Nobody reads.
  const fd = openSync(path, constants.O_RDWR);
  const { process: guest, told } = processTold();
  const pump = new OutputPump(fd, 1, guest);
  for (let i = 0; i < 4; i++) pump.push(new Uint8Array(outputCredit / 4));
  expect(told).toEqual([]);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 64; i++) pump.push(new Uint8Array(1 << 20));
  Bun.gc(true);
  expect(told).toEqual([FrameType.eof]);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
  // What is being written waits for a reader.
  for (let left = outputCredit / 4; left > 0; ) left -= readSync(fd, new Uint8Array(left));
  await pump.drained();
  closeSync(fd);
  rmSync(path);
});
