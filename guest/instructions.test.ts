/** What the instructions of a program do. */
import { expect, test } from "bun:test";
import { errnoOf } from "../src/linux/errno";
import { type Assembler, Pidfd } from "../src/program/assembler";
import { headSize, Stdio } from "../src/program/instruction";
import { encodeU32, FrameType } from "../src/wire/frame";
import { useInit } from "./testing/init";
import { answer, exit, numbers, program, shell } from "./testing/programs";

const { init, run } = useInit();

test("an empty program is done", async () => {
  const process = await run(() => {});
  expect(process.story).toBe("started done exit closed");
  expect(process.numbers(FrameType.exit)).toEqual(exit(0));
});

test("end ends the program before its last instruction", async () => {
  const process = await run((p) => {
    p.end();
    p.fail(1);
  });
  expect(process.story).toBe("started done exit closed");
});

test("syscall: results go into registers, and memory is the program's", async () => {
  const process = await run((p) => {
    const pid = p.value("getpid", []);
    const name = p.zeroed(390);
    p.syscall("uname", [name]);
    answer(p, pid);
    p.output(name, 5);
  });
  const [pid] = process.numbers(FrameType.started);
  expect(Number(process.answer.readBigInt64LE())).toBe(pid!);
  expect(process.answer.subarray(8).toString()).toBe("Linux");
});

test("an accepted errno goes on at the target, with −errno in the register", async () => {
  const process = await run((p) => {
    const other = p.label();
    const result = p.value("close", [99999], { accept: ["ENOENT", "EPERM", "EIO", "EBADF"], otherwise: other });
    p.fail(1);
    p.place(other);
    const any = p.value("close", [99999], { accept: "any" });
    answer(p, result, any);
  });
  expect(numbers(process)).toEqual([-errnoOf("EBADF"), -errnoOf("EBADF")]);
});

test("any other errno is a failure of that instruction", async () => {
  const process = await run((p) => {
    p.syscall("getpid", []);
    p.syscall("close", [99999], { accept: ["ENOENT"] });
  });
  expect(process.story).toBe("started failed exit closed");
  expect(process.numbers(FrameType.failed)).toEqual([1, errnoOf("EBADF")]);
});

test("jump compares signed numbers", async () => {
  const cases = [
    [-1, "<", 0, 1],
    [0, "<", 0, 0],
    [1, "<", -1, 0],
    [0, "≥", 0, 1],
    [-1, "≥", 0, 0],
    [7, "=", 7, 1],
    [7, "=", 8, 0],
    [7, "≠", 8, 1],
    [7, "≠", 7, 0],
  ] as const;
  const process = await run((p) => {
    for (const [left, comparison, right] of cases) {
      const yes = p.label();
      const done = p.label();
      const result = p.register();
      p.jumpIf(left, comparison, right, yes);
      p.set(result, 0);
      p.jump(done);
      p.place(yes);
      p.set(result, 1);
      p.place(done);
      answer(p, result);
    }
  });
  expect(numbers(process)).toEqual(cases.map(([, , , holds]) => holds));
});

test("store and load numbers of each size, at computed addresses", async () => {
  const process = await run((p) => {
    const memory = p.bytes(new Uint8Array(16).fill(0xee));
    const loaded = ([1, 2, 4, 8] as const).map((size) => {
      p.store(memory, 0x1122334455667788n, size);
      return p.load(memory, size);
    });
    // An address is a number that can be added to.
    const second = p.add(memory, 1);
    p.store(second, 0x99, 1);
    answer(p, ...loaded);
    p.output(memory, 9);
  });
  const values = numbers(process);
  expect(values.slice(0, 4)).toEqual([0x88, 0x7788, 0x55667788, Number(0x1122334455667788n)]);
  expect(process.answer.subarray(-9).toString("hex")).toBe("8899665544332211ee");
});

test("add, and decimal with its zero byte", async () => {
  const process = await run((p) => {
    const text = p.bytes(Buffer.from("xxxxxxxxxxxxxxxxxxxxxxxx"));
    const digits = p.decimal(text, p.add(40, 2));
    const negative = p.decimal(text.plus(8), -1);
    const zero = p.decimal(text.plus(16), 0);
    p.output(text, 24);
    answer(p, digits, negative, zero);
  });
  expect(process.answer.subarray(0, 24).toString()).toBe("42\0xxxxx-1\0xxxxx0\0xxxxxx");
  expect([24, 32, 40].map((at) => Number(process.answer.readBigInt64LE(at)))).toEqual([2, 2, 1]);
});

test("pointers in the data are relocated", async () => {
  const process = await run((p) => {
    const table = p.bytes(new Uint8Array(16).fill(255));
    const targets = [p.text("hello").plus(1), p.zeroed(2)];
    for (const [i, target] of targets.entries()) p.pointer(table.plus(8 * i), target);
    answer(p, p.load(table, 8), p.add(targets[0]!, 0), p.load(table.plus(8), 8), p.add(targets[1]!, 0));
  });
  const [one, same, other, equal] = numbers(process);
  expect([one, other]).toEqual([same, equal]);
  expect(one).not.toBe(other);
});

test("fail fails with its errno, whatever its sign", async () => {
  for (const errno of [13, -13]) {
    const process = await run((p) => p.fail(errno));
    expect(process.numbers(FrameType.failed)).toEqual([0, 13]);
  }
  for (const none of [0, 4096, 1 << 30]) {
    const process = await run((p) => p.fail(none));
    expect(process.numbers(FrameType.failed)).toEqual([0, errnoOf("EINVAL")]);
  }
});

test("output of more than a frame comes in order", async () => {
  const bytes = Buffer.alloc(700_000);
  for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(i, i);
  const process = await run((p) => {
    p.output(p.bytes(bytes), bytes.length);
    p.output(p.bytes(Buffer.from("end")), 3);
  });
  expect(process.answer.equals(Buffer.concat([bytes, Buffer.from("end")]))).toBe(true);
  expect(process.story).toEndWith("output done exit closed");
});

test("what is malformed fails with EINVAL", async () => {
  const bad: ((p: Assembler) => void)[] = [
    (p) => p.output(p.zeroed(16), 17),
    (p) => p.output(p.zeroed(16), -1),
    (p) => p.output(12345 as never, 1),
    (p) => p.store(p.zeroed(16).plus(12), 0, 8),
    (p) => p.store(p.zeroed(16), 0, 3 as 4),
    (p) => p.load(p.zeroed(16).plus(16), 1),
    (p) => p.decimal(p.zeroed(16).plus(13), 123),
    (p) => p.syscall("close", [p.zeroed(16).plus(17)]),
  ];
  for (const write of bad) {
    const process = await run(write);
    expect(process.numbers(FrameType.failed)).toEqual([0, errnoOf("EINVAL")]);
  }
  const patches: [offset: number, value: number][] = [
    [0, 11], // operation
    [2, 4], // kind
    [10, 2], // target
    [8, 5], // comparison
  ];
  for (const [offset, value] of patches) {
    const { bytes } = program(jumpToEnd);
    bytes[headSize + offset] = value;
    const process = await init.run(bytes).end();
    expect(process.numbers(FrameType.failed)).toEqual([0, errnoOf("EINVAL")]);
  }
  const register = program((p) => p.add(1, 2)).bytes;
  register[headSize + 2] = 1;
  register[headSize + 16] = 255;
  expect((await init.run(register).end()).numbers(FrameType.failed)).toEqual([0, errnoOf("EINVAL")]);
});

test("registers last across a stop, which waits for GO", async () => {
  const process = init.run(
    program(
      (p) => {
        const one = p.add(20, 22);
        p.stop();
        p.syscall("read", [0, p.zeroed(1), 1]);
        answer(p, one);
        p.stop();
      },
      { stdio: Stdio.stdin, credit: 0 },
    ),
  );
  expect((await process.frame(FrameType.stopped)).payload).toEqual(encodeU32(1));
  // Other processes run meanwhile.
  expect((await run(() => {})).story).toBe("started done exit closed");
  expect(process.order).toBe("started stopped");
  process.go();
  // A second GO is for no stop: the program, which reads, waits at the next.
  process.go();
  process.write("x");
  await process.until(() => process.frames.filter((f) => f.type === FrameType.stopped).length === 2);
  expect((await run(() => {})).story).toBe("started done exit closed");
  expect(process.order).toBe("started stopped output stopped");
  process.go();
  await process.end();
  expect(numbers(process)).toEqual([42]);
  expect(process.order).toBe("started stopped output stopped done exit closed");
});

test("a process killed at a stop has an EXIT and neither outcome", async () => {
  const process = init.run(program((p) => p.stop()));
  await process.frame(FrameType.stopped);
  process.signal(9);
  await process.end();
  expect(process.story).toBe("started stopped exit closed");
  expect(process.numbers(FrameType.exit)).toEqual([9]);
});

test("a pidfd is that of the process with the handle", async () => {
  const victim = init.run(shell("exec sleep 1000"));
  await victim.frame(FrameType.execed);
  const killer = await run((p) => p.syscall("pidfd_send_signal", [new Pidfd(victim.handle), 15, 0, 0]));
  expect(killer.story).toBe("started done exit closed");
  await victim.end();
  expect(victim.numbers(FrameType.exit)).toEqual([15]);
  const late = await run((p) => p.syscall("pidfd_send_signal", [new Pidfd(victim.handle), 15, 0, 0]));
  expect(late.numbers(FrameType.failed)).toEqual([0, errnoOf("ESRCH")]);
});

/** A jump, always, to where the program ends. */
function jumpToEnd(p: Assembler): void {
  const end = p.label();
  p.jump(end);
  p.place(end);
}
