/** How processes begin and end, and what the host hears of them. */
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, readlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import * as linux from "../src/linux/constants";
import { errnoOf } from "../src/linux/errno";
import { SIGCHLD } from "../src/linux/signals";
import { Pidfd } from "../src/program/assembler";
import { Stdio } from "../src/program/instruction";
import { decodeU32, FrameType } from "../src/wire/frame";
import { useInit } from "./testing/init";
import { answer, exec, exit, mebi, numbers, pipes, program, shell } from "./testing/programs";

const { init, run, directory } = useInit();

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

test("a child that succeeds its process has its handle, its streams and its end", async () => {
  const process = init.run(
    program(
      (p) => {
        const around = p.label();
        const child = p.value("clone", [linux.CLONE_PARENT | SIGCHLD, 0, 0, 0, 0]);
        p.jumpIf(child, "=", 0, around);
        p.succeed(child);
        p.place(around);
        p.stop();
        exec(p, ["/bin/sh", "-c", "echo $$; read word; echo $word; kill -9 $$"]);
      },
      { stdio: pipes, credit: mebi },
    ),
  );
  const started = () => process.frames.filter(({ type }) => type === FrameType.started);
  await process.until(() => started().length === 2 && process.order.includes("stopped"));
  process.go();
  process.write("word\n");
  await process.end();
  const [before, after] = started().map(({ payload }) => decodeU32(payload));
  expect(before).not.toBe(after!);
  expect(process.text()).toBe(`${after}\nword\n`);
  expect(process.numbers(FrameType.exit)).toEqual([9]);
});

test("a child that succeeds its process is told of, though both are dead before there is space to say so", async () => {
  const goOn = join(directory, "go-on");
  expect(spawnSync("mkfifo", [goOn]).status).toBe(0);
  const process = init.run(
    program((p) => {
      const around = p.label();
      const buffer = p.zeroed(8);
      const fifo = p.value("openat", [linux.AT_FDCWD, p.text(goOn), linux.O_RDONLY | linux.O_CLOEXEC]);
      const child = p.value("clone", [linux.CLONE_PARENT | SIGCHLD, 0, 0, 0, 0]);
      p.jumpIf(child, "=", 0, around);
      answer(p, child);
      p.syscall("read", [fifo, buffer, 1]);
      p.succeed(child);
      p.place(around);
      p.syscall("read", [fifo, buffer, 1]);
      exec(p, ["/bin/sh", "-c", "exit 7"]);
    }),
  );
  const writing = openSync(goOn, "w");
  await process.until(() => process.answer.length > 0);
  const [pid, child] = [process.numbers(FrameType.started)[0]!, numbers(process)[0]!];
  const flood = init.run(shell("exec yes", { stdio: Stdio.stdout, credit: 1 << 30 }));
  await flood.frame(FrameType.data);
  init.turnAway();
  const yes = flood.numbers(FrameType.started)[0]!;
  // It waits for its pipe to be read, as long as nobody takes what init has.
  for (let waits = 0; waits < 20; waits = stateOf(yes) === "S" ? waits + 1 : 0) await Bun.sleep(1);
  writeSync(writing, "12");
  const isOver = (of: number) => ["Z", undefined].includes(stateOf(of));
  while (!isOver(pid) || !isOver(child)) await Bun.sleep(1);
  init.listen();
  flood.signal(9);
  await process.end();
  closeSync(writing);
  expect(process.story).toBe("started output started execed exit closed");
  expect(process.numbers(FrameType.exit)).toEqual(exit(7));
  await flood.end();
});

/** A process's state, as proc(5) has it; undefined when it is gone. */
function stateOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "")[0];
  } catch {
    return undefined;
  }
}

test("nobody succeeds a process but a child of init's that is no other program's", async () => {
  const other = init.run(program((p) => p.stop()));
  await other.frame(FrameType.stopped);
  for (const pid of [globalThis.process.pid, other.numbers(FrameType.started)[0]!, 0x3ffffff]) {
    expect((await run((p) => p.succeed(pid))).story).toBe("started exit closed");
  }
  expect((await run((p) => p.succeed(0))).numbers(FrameType.failed)).toEqual([0, errnoOf("EINVAL")]);
  other.go();
  expect((await other.end()).story).toBe("started stopped done exit closed");
});

const root = process.getuid?.() === 0;

test.skipIf(!root)("as root: a clone's flags, and joining the pid namespace of another process", async () => {
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
