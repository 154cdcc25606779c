/** Terminals that a program makes and gives to init. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as linux from "../src/linux/constants";
import { errnoOf } from "../src/linux/errno";
import type { Assembler } from "../src/program/assembler";
import { Stdio } from "../src/program/instruction";
import { FrameType } from "../src/wire/frame";
import { useInit } from "./testing/init";
import { exec, mebi, program } from "./testing/programs";

const head = { stdio: Stdio.terminal, credit: mebi };
const { init, run, directory } = useInit();

test("stdin and stdout are the terminal, and its hang-up is the output's end", async () => {
  const process = init.run(
    program((p) => terminal(p, ["/bin/sh", "-c", "tty >/dev/null && read x && echo got $x"]), head),
  );
  process.write("early\n");
  await process.end();
  expect(process.text()).toBe("early\r\ngot early\r\n");
  expect(process.story).toMatch(/^started execed exit eof1 closed$/);
});

/** Ends by a signal only: that the other end is closed, it may be told a moment before (pty_close of drivers/tty/pty.c). */
const readOn = "while :; do read x; done";

test("when the host ends both ways it is hung up, whichever ends first", async () => {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const process = init.run(program((p) => terminal(p, ["/bin/sh", "-c", `echo ready; ${readOn}`]), head));
    await process.until(() => process.text() === "ready\r\n");
    for (const stream of order) process.eof(stream);
    await process.end();
    // SIGHUP
    expect(process.numbers(FrameType.exit)).toEqual([1]);
  }
});

test("it is hung up too when the host has ended both ways before it is given", async () => {
  const process = init.run(
    program((p) => {
      p.stop();
      terminal(p, ["/bin/sh", "-c", readOn]);
    }, head),
  );
  await process.frame(FrameType.stopped);
  for (const stream of [0, 1]) process.eof(stream);
  process.go();
  await process.end();
  // SIGHUP
  expect(process.numbers(FrameType.exit)).toEqual([1]);
});

test("it is hung up when what was typed before both ends is written", async () => {
  const script = "stty raw -echo; echo ready; while read x; do :; done";
  const process = init.run(program((p) => terminal(p, ["/bin/sh", "-c", script]), head));
  await process.until(() => process.text() === "ready\n");
  process.write("more\n".repeat(10_000));
  for (const stream of [0, 1]) process.eof(stream);
  await process.end();
  expect(process.numbers(FrameType.exit)).toEqual([1]);
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

/** Makes a terminal, gives its master to init, and executes `argv` on it. */
function terminal(p: Assembler, argv: readonly string[]): void {
  const master = p.value("openat", [linux.AT_FDCWD, p.text("/dev/ptmx"), 2 | linux.O_CLOEXEC]);
  p.syscall("ioctl", [master, linux.TIOCSPTLCK, p.zeroed(4)]);
  const slave = p.value("ioctl", [master, linux.TIOCGPTPEER, 2 | linux.O_NOCTTY]);
  p.syscall("setsid", []);
  p.syscall("ioctl", [slave, linux.TIOCSCTTY, 0]);
  p.give(master);
  p.syscall("close", [master]);
  for (const fd of [0, 1, 2]) p.syscall("dup3", [slave, fd, 0]);
  exec(p, argv);
}
