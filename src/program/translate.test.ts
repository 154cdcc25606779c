import { expect, test } from "bun:test";
import { AT_FDCWD, O_CLOEXEC, RESOLVE_IN_ROOT } from "../linux/constants";
import { syscallNumber } from "../linux/syscalls";
import { Assembler } from "./assembler";
import { headSize, instructionSize } from "./instruction";
import { translate } from "./translate";

// fcntl.h of x86-64 and of aarch64, whatever machine this is.
const [directory, nofollow] = [
  [0o200000, 0o40000],
  [0o400000, 0o100000],
] as const;
const path = 0o10000000;

const numberAt = (bytes: Uint8Array, index: number) =>
  new DataView(bytes.buffer).getUint16(headSize + index * instructionSize + 8, true);
const argumentAt = (bytes: Uint8Array, index: number, argument: number) =>
  Number(new DataView(bytes.buffer).getBigInt64(headSize + index * instructionSize + 16 + 8 * argument, true));

/** A program of x86-64's, whatever machine this is. */
function program() {
  const p = new Assembler();
  const how = p.bytes(
    new Uint8Array(new BigUint64Array([BigInt(directory[0] | path), 0n, BigInt(RESOLVE_IN_ROOT)]).buffer),
  );
  p.syscall("umask", [0]);
  p.syscall("openat", [AT_FDCWD, p.text("/"), directory[0] | nofollow[0] | O_CLOEXEC]);
  // Two calls with one struct.
  for (let i = 0; i < 2; i++) p.syscall("openat2", [3, p.text("/"), how, 24]);
  p.set(p.register(), 95);
  const { bytes, dataAt } = p.assemble();
  return { bytes, how: dataAt + how.offset };
}

test("system calls and flags of open(2) become those of the other architecture, and back", () => {
  const { bytes, how } = program();
  const before = bytes.slice();
  const from = process.arch === "arm64" ? "aarch64" : "x86_64";
  const to = from === "aarch64" ? "x86_64" : "aarch64";
  const [, there] = from === "aarch64" ? [1, 0] : [0, 1];
  const translated = translate(bytes, from, to);
  expect(bytes).toEqual(before);
  expect(numberAt(translated, 0)).toBe(syscallNumber("umask", to));
  expect(numberAt(translated, 1)).toBe(syscallNumber("openat", to));
  if (there === 1) {
    expect(argumentAt(translated, 1, 2)).toBe(directory[1] | nofollow[1] | O_CLOEXEC);
    expect(Number(new DataView(translated.buffer).getBigUint64(how, true))).toBe(directory[1] | path);
  }
  // What is no system call stays.
  expect(argumentAt(translated, 4, 0)).toBe(95);
  expect(translate(translated, to, from)).toEqual(before);
});

test("a frame's payload may be a part of a larger buffer", () => {
  const { bytes } = program();
  const frame = Buffer.concat([Buffer.alloc(16), bytes]);
  expect(translate(frame.subarray(16), "x86_64", "aarch64")).toEqual(translate(bytes, "x86_64", "aarch64"));
});

test("a call that the other architecture has not is none there", () => {
  const p = new Assembler();
  p.syscall("arch_prctl", [0, 0]);
  const { bytes } = p.assemble();
  expect(numberAt(translate(bytes, "x86_64", "aarch64"), 0)).toBe(0xffff);
});
