import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as linux from "../src/linux/constants";
import { errnoOf } from "../src/linux/errno";
import { syscallNumber } from "../src/linux/syscalls";
import { Assembler, Pidfd, type Register } from "../src/program/assembler";
import { headSize, instructionSize, Op, Stdio } from "../src/program/instruction";
import type { Program, ProgramHead } from "../src/program/program";
import { encodeU32, FrameType, stdinWindow } from "../src/wire/frame";
import { startInit, type TestProcess } from "./testing";

const pipes = Stdio.stdin | Stdio.stdout | Stdio.stderr;
/** fcntl(2). */
const F_GETPIPE_SZ = 1032;
const mebi = 1 << 20;
const directory = mkdtempSync(join(tmpdir(), "runv-init-"));
const binary = join(directory, "init");
let init: Awaited<ReturnType<typeof startInit>>;

beforeAll(async () => {
  const build = Bun.spawnSync([join(import.meta.dir, "build"), "--sanitize", binary]);
  if (!build.success) throw new Error(build.stderr.toString());
  init = await startInit(binary);
}, 120_000);

afterAll(async () => {
  // Also what the sanitizers say at the end: leaks.
  expect(await init.stop()).toBe(0);
  rmSync(directory, { recursive: true });
});

function program(write: (p: Assembler) => void, head?: ProgramHead): Program {
  const p = new Assembler();
  write(p);
  return p.assemble(head);
}

/** Runs a program to its end. */
const run = (write: (p: Assembler) => void, head?: ProgramHead): Promise<TestProcess> =>
  init.run(program(write, head)).end();

function exec(p: Assembler, argv: readonly string[]): void {
  p.syscall("execve", [p.text(argv[0]!), p.vector(argv), p.vector(["PATH=/usr/bin:/bin"])]);
}

/** A program that runs a shell's script. */
const shell = (script: string, head: ProgramHead = { stdio: pipes, credit: mebi }): Program =>
  program((p) => exec(p, ["/bin/sh", "-c", script]), head);

/** A jump, always, to where the program ends. */
function jumpToEnd(p: Assembler): void {
  const end = p.label();
  p.jump(end);
  p.place(end);
}

/** Puts out the values of registers, 8 bytes each. */
function answer(p: Assembler, ...registers: Register[]): void {
  const buffer = p.zeroed(8 * registers.length);
  for (const [i, register] of registers.entries()) p.store(buffer.plus(8 * i), register, 8);
  p.output(buffer, 8 * registers.length);
}

const numbers = (process: TestProcess): number[] =>
  Array.from({ length: process.answer.length / 8 }, (_, i) => Number(process.answer.readBigInt64LE(8 * i)));

const exit = (code: number): number[] => [code << 8];

test("hello tells the version, the machine and the kernel", async () => {
  const { payload, process: handle } = await init.hello.promise;
  const view = new DataView(payload.buffer);
  expect(handle).toBe(0);
  expect([view.getUint32(0, true), view.getUint32(4, true)]).toEqual([1, process.arch === "x64" ? 62 : 183]);
  expect(Buffer.from(payload.subarray(8)).toString()).toBe(
    (await Bun.file("/proc/sys/kernel/osrelease").text()).trim(),
  );
});

describe("instructions", () => {
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
    const victim = init.run(shell("sleep 1000"));
    await victim.frame(FrameType.execed);
    const killer = await run((p) => p.syscall("pidfd_send_signal", [new Pidfd(victim.handle), 15, 0, 0]));
    expect(killer.story).toBe("started done exit closed");
    await victim.end();
    expect(victim.numbers(FrameType.exit)).toEqual([15]);
    const late = await run((p) => p.syscall("pidfd_send_signal", [new Pidfd(victim.handle), 15, 0, 0]));
    expect(late.numbers(FrameType.failed)).toEqual([0, errnoOf("ESRCH")]);
  });
});

describe("processes", () => {
  test("stdio without a pipe is /dev/null, and no other descriptor reaches the program", async () => {
    const process = await init
      .run(shell("readlink /proc/self/fd/0 /proc/self/fd/2; ls /proc/$$/fd", { stdio: Stdio.stdout, credit: mebi }))
      .end();
    expect(process.text()).toBe("/dev/null\n/dev/null\n0\n1\n2\n");
    expect(process.order).toBe("started execed exit closed");
  });

  test("signals have their default dispositions and none is blocked", async () => {
    const process = await init.run(shell("exec cat /proc/self/status")).end();
    expect(process.text().match(/Sig(Blk|Ign|Cgt):\t0{16}\n/g)).toHaveLength(3);
  });

  test("exit statuses and signals are told as wait(2) encodes them", async () => {
    for (const [script, status] of [
      ["exit 0", 0],
      ["exit 7", 7 << 8],
      ["exit 255", 255 << 8],
      ["kill -9 $$", 9],
      ["kill -15 $$", 15],
    ] as const) {
      const process = await init.run(shell(script)).end();
      expect([process.numbers(FrameType.exit), script]).toEqual([[status], script]);
    }
  });

  test("each EXECED is told, even of a process that is dead by then", async () => {
    const all = Array.from({ length: 50 }, () => init.run(program((p) => exec(p, ["/bin/true"]))));
    for (const process of all) expect((await process.end()).order).toBe("started execed exit closed");
  });

  test("an execve that fails is an instruction that fails, and other candidates follow", async () => {
    const missing = await run((p) => exec(p, ["/does/not/exist"]));
    expect(missing.numbers(FrameType.failed)).toEqual([0, errnoOf("ENOENT")]);
    const found = await run((p) => {
      for (const path of ["/does/not/exist", "/bin/true"]) {
        p.syscall("execve", [p.text(path), p.vector(["true"]), p.vector([])], { accept: ["ENOENT"] });
      }
      p.fail(2);
    });
    expect(found.order).toBe("started execed exit closed");
  });

  test("bytes go through stdin and stdout with their end both ways", async () => {
    const process = init.run(program((p) => exec(p, ["/bin/cat"]), { stdio: pipes, credit: mebi }));
    process.write("one ");
    process.write("two");
    await process.until(() => process.text() === "one two");
    process.eof();
    await process.end();
    expect(process.order).toBe("started execed exit closed");
  });

  test("a program that waits holds no stream of another process open", async () => {
    const cat = init.run(program((p) => exec(p, ["/bin/cat"]), { stdio: pipes, credit: mebi }));
    const waiting = init.run(program((p) => p.stop()));
    await waiting.frame(FrameType.stopped);
    cat.eof();
    expect((await cat.end()).numbers(FrameType.exit)).toEqual(exit(0));
    waiting.go();
    await waiting.end();
  });

  test("that nobody reads stdin any more is told while the process lives", async () => {
    const process = init.run(shell("exec 0<&-; exec sleep 1000"));
    await process.frame(FrameType.eof, 0);
    process.write("lost");
    process.signal(9);
    await process.end();
    expect(process.numbers(FrameType.exit)).toEqual([9]);
  });

  test("an output that the host reads no more breaks the pipe", async () => {
    const process = init.run(program((p) => exec(p, ["/usr/bin/yes"]), { stdio: pipes, credit: 1000 }));
    process.generous = false;
    await process.frame(FrameType.data);
    process.eof(1);
    await process.end();
    expect(process.numbers(FrameType.exit)).toEqual([13]);
  });

  test("stderr is a stream of its own", async () => {
    const process = await init.run(shell("echo out; echo err >&2")).end();
    expect([process.text(1), process.text(2)]).toEqual(["out\n", "err\n"]);
  });

  test("16 MiB through cat, within the credit of stdin", async () => {
    const bytes = Buffer.alloc(16 * mebi);
    const random = randomNumbers(1);
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(random(2 ** 32), i);
    const process = init.run(program((p) => exec(p, ["/bin/cat"]), { stdio: pipes, credit: mebi }));
    for (let at = 0; at < bytes.length; ) {
      await process.until(() => stdinWindow + process.granted > at);
      const size = Math.min(stdinWindow + process.granted - at, 40_000, bytes.length - at);
      process.write(bytes.subarray(at, at + size));
      at += size;
    }
    process.eof();
    await process.end();
    const sum = (data: Buffer) => createHash("sha256").update(data).digest("hex");
    expect(sum(Buffer.concat(process.output[1]!))).toBe(sum(bytes));
  }, 60_000);

  test("stdin that the process does not read yet is kept, up to the window", async () => {
    const process = init.run(shell("read line; cat | wc -c", { stdio: pipes, credit: mebi }));
    await process.frame(FrameType.execed);
    // The pipe holds most of a window of large pieces, but of small ones far less.
    process.write("\n");
    for (let i = 0; i < 600; i++) process.write("x".repeat(100));
    process.eof();
    await process.end();
    expect(process.text().trim()).toBe("60000");
  });

  test("a stream without credit stalls itself and no other", async () => {
    const stalled = init.run(shell("yes & yes error >&2; wait", { stdio: pipes, credit: 10 }));
    stalled.generous = false;
    await stalled.until(() => stalled.text(1).length === 10 && stalled.text(2).length === 10);
    for (let i = 0; i < 20; i++) expect((await run(() => {})).story).toBe("started done exit closed");
    expect([stalled.text(1).length, stalled.text(2).length]).toEqual([10, 10]);
    stalled.credit(2, 7);
    await stalled.until(() => stalled.text(2).length === 17);
    expect([stalled.text(1).length, stalled.text(2)]).toEqual([10, "error\nerror\nerror"]);
    stalled.eof(1);
    stalled.eof(2);
    await stalled.end();
  });

  test("a pipe that was found full holds more from then on", async () => {
    const full = 64 << 10;
    const process = init.run(
      program(
        (p) => {
          p.syscall("write", [1, p.zeroed(full), full]);
          p.stop();
          const before = p.value("fcntl", [1, F_GETPIPE_SZ, 0]);
          p.stop();
          answer(p, before, p.value("fcntl", [1, F_GETPIPE_SZ, 0]));
        },
        { stdio: Stdio.stdout, credit: 0 },
      ),
    );
    await process.frame(FrameType.stopped);
    process.go();
    await process.until(() => process.frames.filter((f) => f.type === FrameType.stopped).length === 2);
    process.credit(1, mebi);
    await process.until(() => process.text().length === full);
    process.go();
    expect(numbers(await process.end())).toEqual([full, 8 * full]);
  });

  test("EXIT does not wait for output that has no credit; what is in the pipe follows", async () => {
    const process = init.run(shell("echo 0123456789; exit 3", { stdio: pipes, credit: 4 }));
    process.generous = false;
    await process.frame(FrameType.exit);
    expect(process.text()).toBe("0123");
    // The empty stream ends without credit, the other keeps the process open.
    await process.frame(FrameType.eof, 2);
    expect(process.story).not.toContain("closed");
    process.credit(1, 4);
    await process.until(() => process.text() === "01234567");
    process.credit(1, 3);
    await process.end();
    expect(process.text()).toBe("0123456789\n");
    expect(process.story).toEndWith("eof1 closed");
  });

  test("credit that is spent to the byte does not hide the end", async () => {
    const process = init.run(shell("printf 1234; exec >&- 2>&-; read line", { stdio: pipes, credit: 4 }));
    process.generous = false;
    await process.frame(FrameType.eof, 1);
    await process.frame(FrameType.eof, 2);
    process.eof();
    expect((await process.end()).numbers(FrameType.exit)).toEqual(exit(1));
  });

  test("holders of the pipes outlive the process without SIGPIPE, and keep nothing open", async () => {
    // The background shell writes once the test says so, and leaves a mark if that went well.
    const flag = join(directory, "flag");
    Bun.spawnSync(["mkfifo", flag, `${flag}2`]);
    const process = init.run(shell(`(read x < ${flag}; head -c 1000000 /dev/zero && echo ok > ${flag}2) & echo bye`));
    await process.end();
    expect(process.text()).toBe("bye\n");
    writeFileSync(flag, "x\n");
    expect(await Bun.file(`${flag}2`).text()).toBe("ok\n");
  });

  test("orphans are reaped", async () => {
    const process = await init.run(shell("sleep 0 & echo $!", { stdio: Stdio.stdout, credit: mebi })).end();
    const orphan = Number(process.text());
    const wait = await run((p) => {
      const again = p.label();
      const gone = p.label();
      const millisecond = p.bytes(new Uint8Array(BigUint64Array.of(0n, 1_000_000n).buffer));
      p.place(again);
      p.syscall("kill", [orphan, 0], { accept: ["ESRCH"], otherwise: gone });
      p.syscall("clock_nanosleep", [0, 0, millisecond, 0]);
      p.jump(again);
      p.place(gone);
    });
    expect(wait.story).toBe("started done exit closed");
  });

  test("200 at once", async () => {
    const all = Array.from({ length: 200 }, (_, i) =>
      init.run(shell(`read line; echo $line ${i}; exit ${i}`, { stdio: pipes, credit: mebi })),
    );
    for (const process of all) await process.frame(FrameType.execed);
    for (const process of all) process.write("line\n");
    for (const [i, process] of all.entries()) {
      await process.end();
      expect([process.text(), process.numbers(FrameType.exit)]).toEqual([`line ${i}\n`, exit(i)]);
    }
  }, 60_000);

  test("busy streams get their turns", async () => {
    const script = "yes & yes >&2; wait";
    const all = Array.from({ length: 3 }, () => init.run(shell(script, { stdio: pipes, credit: 8 * mebi })));
    const streams = all.flatMap((process) => [1, 2].map((stream) => ({ process, frames: process.output[stream]! })));
    const grown = async (counts: number[], by: number) => {
      for (const [i, { process, frames }] of streams.entries()) {
        await process.until(() => frames.length >= counts[i]! + by);
      }
      return streams.map(({ frames }, i) => frames.length - counts[i]!);
    };
    await grown([0, 0, 0, 0, 0, 0], 1);
    const begun = streams.map(({ frames }) => frames.length);
    expect(Math.max(...(await grown(begun, 50)))).toBeLessThan(1000);
    for (const process of all) for (const stream of [1, 2]) process.eof(stream);
    for (const process of all) await process.end();
  }, 60_000);

  test("a handle is free again after CLOSED, and refused before", async () => {
    const process = init.run(
      program((p) => p.stop()),
      4_000_000,
    );
    await process.frame(FrameType.stopped);
    const twice = await init
      .run(
        program(() => {}),
        4_000_000,
      )
      .end();
    expect(twice.numbers(FrameType.refused)).toEqual([errnoOf("EEXIST"), 2]);
    const killer = await run((p) => p.syscall("pidfd_send_signal", [new Pidfd(4_000_000), 9, 0, 0]));
    expect(killer.story).toBe("started done exit closed");
    await twice.until(() => twice.story.endsWith("closed"));
    for (let i = 0; i < 3; i++) {
      expect(
        (
          await init
            .run(
              program(() => {}),
              4_000_000,
            )
            .end()
        ).story,
      ).toBe("started done exit closed");
    }
  });

  test("frames for handles that are not in use are ignored", async () => {
    const process = await run(() => {});
    process.write("x");
    process.eof();
    process.eof(1);
    process.credit(1, 5);
    process.go();
    process.signal(9);
    process.resize(1, 1);
    init.send(99, process.handle);
    init.send(FrameType.data, 0);
    expect((await run(() => {})).story).toBe("started done exit closed");
  });

  test("signals reach a process that runs", async () => {
    const process = init.run(shell("trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.01; done"));
    await process.until(() => process.text() === "ready\n");
    process.signal(15);
    await process.end();
    expect([process.text(), process.numbers(FrameType.exit)]).toEqual(["ready\ngot\n", exit(5)]);
  });
});

describe("namespaces", () => {
  test("a clone's flags, and joining the pid namespace of another process", async () => {
    const first = init.run(
      program(
        (p) => {
          answer(p, p.value("getpid", []));
          p.stop();
        },
        { flags: linux.CLONE_NEWPID | linux.CLONE_NEWUTS },
      ),
    );
    await first.frame(FrameType.stopped);
    expect(numbers(first)).toEqual([1]);
    const [pid] = first.numbers(FrameType.started);
    expect(readlinkSync(`/proc/${pid}/ns/pid`)).not.toBe(readlinkSync("/proc/self/ns/pid"));
    expect(readlinkSync(`/proc/${pid}/ns/uts`)).not.toBe(readlinkSync("/proc/self/ns/uts"));
    const second = await run((p) => answer(p, p.value("getpid", []), p.value("kill", [1, 0])), { join: first.handle });
    expect(numbers(second)).toEqual([2, 0]);
    // init is back in its own.
    const third = await run((p) => answer(p, p.value("getpid", [])));
    expect(numbers(third)).toEqual(third.numbers(FrameType.started));
    // The death of its pid 1 ends the namespace: nothing can be born there.
    first.signal(9);
    await first.end();
    const late = await run(() => {}, { join: first.handle });
    expect(late.numbers(FrameType.refused)).toEqual([errnoOf("ESRCH"), 4]);
  });
});

/** Makes a terminal, gives its master to init, and executes `argv` on it. */
function terminal(p: Assembler, argv: readonly string[]): void {
  const master = p.value("openat", [linux.AT_FDCWD, p.text("/dev/ptmx"), 2 | linux.O_CLOEXEC]);
  p.syscall("ioctl", [master, linux.TIOCSPTLCK, p.zeroed(4)]);
  const slave = p.value("ioctl", [master, linux.TIOCGPTPEER, 2 | linux.O_NOCTTY]);
  p.give(master);
  p.syscall("close", [master]);
  p.syscall("setsid", []);
  p.syscall("ioctl", [slave, linux.TIOCSCTTY, 0]);
  for (const fd of [0, 1, 2]) p.syscall("dup3", [slave, fd, 0]);
  exec(p, argv);
}

describe("terminals", () => {
  const head = { stdio: Stdio.terminal, credit: mebi };

  test("stdin and stdout are the terminal, and its hang-up is the output's end", async () => {
    const process = init.run(
      program((p) => terminal(p, ["/bin/sh", "-c", "tty >/dev/null && read x && echo got $x"]), head),
    );
    process.write("early\n");
    await process.end();
    expect(process.text()).toBe("early\r\ngot early\r\n");
    expect(process.story).toMatch(/^started execed exit eof1 closed$/);
  });

  test("when the host ends both ways it is hung up, whichever ends first", async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const process = init.run(program((p) => terminal(p, ["/bin/sh", "-c", "echo ready; read x; read y"]), head));
      await process.until(() => process.text() === "ready\r\n");
      for (const stream of order) process.eof(stream);
      await process.end();
      // SIGHUP
      expect(process.numbers(FrameType.exit)).toEqual([1]);
    }
  });

  test("RESIZE sets its size, also before it is given", async () => {
    const process = init.run(
      program((p) => {
        p.stop();
        // The size comes when init has taken the terminal, which may be after the command has begun.
        const sized = 'while [ "$(stty size)" = "0 0" ]; do sleep 0.01; done';
        const script = `${sized}; trap 'stty size; exit' WINCH; stty size; while :; do sleep 0.01; done`;
        terminal(p, ["/bin/sh", "-c", script]);
      }, head),
    );
    process.resize(33, 44);
    await process.frame(FrameType.stopped);
    process.go();
    await process.until(() => process.text() === "33 44\r\n");
    process.resize(50, 100);
    await process.end();
    expect(process.text()).toBe("33 44\r\n50 100\r\n");
  });

  test("a terminal that nobody has open for a while comes back", async () => {
    // One FIFO for each step: who reads of one twice may be heard by the same writer.
    const [closed, back, end] = ["closed", "back", "end"].map((name) => join(directory, name));
    Bun.spawnSync(["mkfifo", closed!, back!, end!]);
    const script = `t=$(tty); exec <&- >&- 2>&-; echo > ${closed}; read x < ${back}; echo back > $t; read y < ${end}`;
    const process = init.run(program((p) => terminal(p, ["/bin/bash", "-c", script]), head));
    await Bun.file(closed!).text();
    writeFileSync(back!, "\n");
    await process.until(() => process.text() === "back\r\n");
    writeFileSync(end!, "\n");
    await process.end();
  });

  test("one that is not announced, or no descriptor, is refused", async () => {
    expect((await run((p) => p.give(1))).numbers(FrameType.failed)).toEqual([0, errnoOf("EINVAL")]);
    expect((await run((p) => p.give(999), head)).numbers(FrameType.failed)).toEqual([0, errnoOf("EBADF")]);
    expect((await run((p) => p.give(0), head)).numbers(FrameType.failed)).toEqual([0, errnoOf("ENOTTY")]);
    const process = await run(() => {}, head);
    expect(process.story).toBe("started done exit eof1 closed");
  });
});

describe("programs that are none", () => {
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

  test("thousands of random mutations crash nothing", async () => {
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
  }, 120_000);
});

/** xorshift32: the same numbers for the same seed. */
function randomNumbers(state: number): (below: number) => number {
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

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

describe("init --exec", () => {
  const alone = async (bytes: Uint8Array): Promise<{ code: number; out: string; err: string }> => {
    const file = join(directory, "program");
    writeFileSync(file, bytes);
    const fd = openSync(file, "r");
    const child = Bun.spawn([binary, "--exec", "3"], { stdio: ["ignore", "pipe", "pipe", fd] });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    closeSync(fd);
    return { code, out, err };
  };

  test("runs a program in this very process", async () => {
    expect(await alone(shell("ls /proc/$$/fd; exit 4").bytes)).toEqual({ code: 4, out: "0\n1\n2\n", err: "" });
    expect(await alone(program((p) => p.output(p.text("text"), 4)).bytes)).toEqual({ code: 0, out: "text", err: "" });
  });

  test("tells which instruction failed", async () => {
    const failing = program((p) => {
      p.syscall("getpid", []);
      p.syscall("close", [99999]);
    });
    expect(await alone(failing.bytes)).toEqual({ code: 125, out: "", err: "runv-init: instruction 1: errno 9\n" });
    for (const write of [(p: Assembler) => p.stop(), (p: Assembler) => p.give(1)]) {
      expect((await alone(program(write).bytes)).err).toBe(`runv-init: instruction 0: errno ${errnoOf("ENOTCONN")}\n`);
    }
    expect(await alone(new Uint8Array(3))).toEqual({ code: 125, out: "", err: "runv-init: malformed program\n" });
  });
});
