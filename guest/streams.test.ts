/** The stdin, stdout and stderr of processes: their bytes, their credit, their ends. */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Stdio } from "../src/program/instruction";
import { FrameType, stdinWindow } from "../src/wire/frame";
import { useInit } from "./testing/init";
import { answer, exec, exit, mebi, numbers, pipes, program, shell } from "./testing/programs";
import { randomNumbers } from "./testing/random";

/** fcntl(2). */
const F_GETPIPE_SZ = 1032;

const { init, run, directory } = useInit();

test("stdio without a pipe is /dev/null, and no other descriptor reaches the program", async () => {
  const process = await init
    .run(shell("readlink /proc/self/fd/0 /proc/self/fd/2; ls /proc/$$/fd", { stdio: Stdio.stdout, credit: mebi }))
    .end();
  expect(process.text()).toBe("/dev/null\n/dev/null\n0\n1\n2\n");
  expect(process.order).toBe("started execed exit closed");
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

test("what others write that hold the pipes when the process has ended is its output", async () => {
  const flag = join(directory, "flag");
  Bun.spawnSync(["mkfifo", flag]);
  const script = `(read x < ${flag}; head -c 1000000 /dev/zero; echo late >&2) & echo bye`;
  const process = init.run(shell(script, { stdio: pipes, credit: mebi }));
  await process.frame(FrameType.exit);
  // While it waits others are served.
  for (let i = 0; i < 3; i++) expect((await run(() => {})).story).toBe("started done exit closed");
  expect([process.text(), process.text(2)]).toEqual(["bye\n", ""]);
  // Nobody reads any more what it is given; what it says goes on.
  expect(process.story).not.toMatch(/eof[12]/);
  writeFileSync(flag, "x\n");
  await process.end();
  expect([process.text().length, process.text(2)]).toEqual([1000004, "late\n"]);
  expect(process.order).toBe("started execed exit closed");
});

test("a host that waits for them no longer breaks the pipes", async () => {
  const flag = join(directory, "flag3");
  Bun.spawnSync(["mkfifo", flag, `${flag}4`]);
  const script = `(trap '' PIPE; read x < ${flag}; echo late || echo broken > ${flag}4) & echo bye`;
  const process = init.run(shell(script));
  await process.frame(FrameType.exit);
  process.eof(1);
  process.eof(2);
  await process.end();
  writeFileSync(flag, "x\n");
  expect(await Bun.file(`${flag}4`).text()).toBe("broken\n");
});

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
