/** Programs that are none: they are refused, or fail, and crash nothing. */
import { expect, test } from "bun:test";
import * as linux from "../src/linux/constants";
import { errnoOf } from "../src/linux/errno";
import { syscallNumber } from "../src/linux/syscalls";
import { headSize, instructionSize, Op, Stdio } from "../src/program/instruction";
import { FrameType } from "../src/wire/frame";
import { patience } from "../tests/support/patience";
import { useInit } from "./testing/init";
import type { TestProcess } from "./testing/process";
import { pipes, program, shell } from "./testing/programs";
import { randomNumbers } from "./testing/random";

const { init, run } = useInit();

test("heads that do not add up are refused", async () => {
  const good = shell("true").bytes;
  const patch = (at: number, value: number) => {
    const bytes = good.slice();
    new DataView(bytes.buffer).setUint32(at, value, true);
    return bytes;
  };
  const bad = [
    new Uint8Array(0),
    good.subarray(0, headSize - 1),
    good.subarray(0, -1),
    Buffer.concat([good, new Uint8Array(1)]),
    patch(0, linux.CLONE_VM),
    patch(4, 2),
    patch(12, 16),
    patch(12, Stdio.terminal | Stdio.stdin),
    patch(20, 0xffffffff),
    patch(24, 0xffffffff),
    patch(28, 0xffffffff),
    patch(32, 0xffffffff),
    patch(36, 1),
    patch(headSize + instructionSize, 0xfffffff8), // a relocation
    patch(headSize + instructionSize + 4, 0xfffffff8),
  ];
  for (const bytes of bad) {
    const process = await init.run(bytes).end();
    expect(process.story).toBe("refused");
    expect(process.numbers(FrameType.refused)).toEqual([errnoOf("EINVAL"), 1]);
  }
  expect((await init.run(patch(8, 987654)).end()).numbers(FrameType.refused)).toEqual([errnoOf("ESRCH"), 4]);
});

test(
  "thousands of random mutations crash nothing",
  async () => {
    const random = randomNumbers(20261122);
    const base = program(
      (p) => {
        const memory = p.bytes(Buffer.from("some bytes"));
        const register = p.add(memory, 1);
        const around = p.label();
        p.pointer(p.bytes(new Uint8Array(8)), memory);
        p.store(register, 7, 4);
        p.load(register, 2, register);
        p.decimal(memory, register);
        p.jumpIf(register, "<", 3, around);
        p.syscall("getpid", [], { accept: "any" });
        p.place(around);
        p.output(memory, 10);
        p.give(1);
        p.stop();
        p.fail(register);
      },
      { stdio: pipes, credit: 100 },
    ).bytes;
    for (let round = 0; round < 60; round++) {
      const batch = Array.from({ length: 50 }, () => init.run(harmless(mutate(base, random))));
      await Promise.all(batch.map((process) => survive(process)));
    }
    expect((await run(() => {})).story).toBe("started done exit closed");
  },
  120_000 * patience,
);

function mutate(base: Uint8Array, random: (below: number) => number): Uint8Array {
  const bytes = base.slice();
  const values = [0, 1, 2, 3, 7, 8, 127, 128, 254, 255];
  // The head's counts are rarely worth changing: nearly all such programs are refused.
  const from = random(5) === 0 ? 0 : headSize;
  for (let i = random(6) + 1; i > 0; i--) bytes[from + random(bytes.length - from)] = values[random(values.length)]!;
  return random(20) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
}

/** Has every system call of a mutated program be getpid. */
function harmless(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = headSize; at + instructionSize <= bytes.length; at += instructionSize) {
    if (bytes[at] === Op.syscall) view.setUint16(at + 8, syscallNumber("getpid"), true);
  }
  return bytes;
}

/** Sees a program to its end, whatever it does; loops are killed. */
async function survive(process: TestProcess): Promise<void> {
  const impatient = setTimeout(() => process.signal(9), 500);
  process.until(() => process.story.includes("stopped")).then(() => process.go());
  await process.end();
  clearTimeout(impatient);
}
