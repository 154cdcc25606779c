import { expect, test } from "bun:test";
import { Assembler } from "./assembler";
import { disassemble } from "./disassembler";
import { headSize, instructionSize } from "./instruction";

test("a program reads like strace", () => {
  const p = new Assembler();
  p.doing("make /dev/shm");
  const dir = p.value("openat", [-100, p.text("/dev"), 0]);
  const exists = p.label();
  p.syscall("mkdirat", [dir, p.text("shm"), 0o755], { accept: ["EEXIST"], otherwise: exists });
  p.doing("set its owner");
  p.syscall("fchownat", [dir, p.text("shm"), 1, 2], { accept: "any" });
  p.place(exists);
  p.jumpIf(dir, "<", 0, exists);
  p.stop();
  expect(disassemble(p.assemble())).toBe(
    [
      "# make /dev/shm",
      '   0  r0 = openat(-100, "/dev")',
      '   1  mkdirat(r0, "shm", 493)  EEXIST → 3',
      "# set its owner",
      '   2  fchownat(r0, "shm", 1, 2)  any error → 3',
      "   3  if r0 < 0 → 3",
      "   4  stop()",
      "",
    ].join("\n"),
  );
});

test("a failure is explained by what the instruction was for", () => {
  const p = new Assembler();
  p.doing("mount tmpfs on /dev/shm");
  p.syscall("fsopen", [p.text("tmpfs"), 1]);
  expect(p.assemble().failure(0, 12).message).toBe("mount tmpfs on /dev/shm: cannot allocate memory (ENOMEM)");
});

test("texts are stored once, vectors point to them, and zeroed memory lies behind the data", () => {
  const p = new Assembler();
  const out = p.zeroed(10);
  p.syscall("execve", [p.text("sh"), p.vector(["sh", "-c"]), out]);
  const { bytes } = p.assemble();
  const view = new DataView(bytes.buffer);
  const relocations = view.getUint32(24, true);
  const memory = view.getUint32(28, true);
  expect(relocations).toBe(2);
  expect(memory % 16).toBe(0);
  expect(view.getBigInt64(headSize + 16 + 16, true)).toBe(BigInt(memory));
  const at = headSize + instructionSize;
  expect(view.getUint32(at + 4, true)).toBe(0);
  expect(view.getUint32(at + 12, true)).toBe(32);
});

test("numbers of all sizes are 64 bits", () => {
  const numbers = [
    0,
    -1,
    0x7fffffff,
    0xffffffff,
    -(2 ** 31) - 1,
    2 ** 40 + 5,
    -(2 ** 40) - 5,
    2 ** 63,
    2n ** 64n - 1n,
    -(2n ** 63n),
    2n ** 32n + 7n,
  ];
  const p = new Assembler();
  for (const number of numbers) p.syscall("close", [0, number]);
  const { bytes } = p.assemble();
  const view = new DataView(bytes.buffer);
  const read = numbers.map((_, index) => view.getBigInt64(headSize + index * instructionSize + 24, true));
  expect(read).toEqual(numbers.map((number) => BigInt.asIntN(64, BigInt(number))));
});

test("defects of the caller throw", () => {
  const p = new Assembler();
  expect(() => p.text("a\0b")).toThrow("zero byte");
  p.jump(p.label());
  expect(() => p.assemble()).toThrow("never placed");
  const large = new Assembler();
  large.bytes(new Uint8Array(17 << 20));
  expect(() => large.assemble()).toThrow("a program of");
});
