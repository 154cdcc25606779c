/** preload/fork.c forks processes whose threads each wait in their own way: testing/threads.c. No machine is in them. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Socket, Subprocess } from "bun";
import { F_SETFL, O_CLOEXEC, O_RDWR } from "../src/linux/constants";
import { identityOf } from "../src/linux/identity";
import { syscall } from "../src/linux/local";
import { descendantsOf } from "../src/linux/processes";
import { sendWithDescriptors } from "../src/linux/send-descriptor";
import { connectForPackets, listenForPackets, socketPair } from "../src/linux/unix-socket";
import { Assembler } from "../src/program/assembler";
import { decodeU32, type Frame, FrameType, maxFromGuest } from "../src/wire/frame";
import { connectFrames } from "../src/wire/frame-socket";
import { until } from "../tests/support/until";

const directory = mkdtempSync(join(tmpdir(), "runv-fork-"));
// Longer than the address of a socket.
const path = join(directory, "x".repeat(100), "socket");
const firstSent = 65;
let parent: Subprocess;
let orders: Orders;

beforeAll(async () => {
  const threads = join(directory, "threads");
  const cc = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-pthread", "-o", threads];
  const build = Bun.spawnSync([...cc, join(import.meta.dir, "testing/threads.c"), "-lm"]);
  if (!build.success) throw new Error(build.stderr.toString());
  mkdirSync(dirname(path));
  const listener = listenForPackets(path);
  const more = Array.from({ length: 6 }, () => "ignore" as const);
  const [mine, theirs] = socketPair();
  const [polledMine, polledTheirs] = socketPair();
  setBlocking(theirs);
  parent = Bun.spawn([threads], {
    stdio: ["ignore", "inherit", "inherit", theirs, polledTheirs, ...more, listener],
    env: { LD_PRELOAD: join(import.meta.dir, "../dist/preload.so"), GLIBC_TUNABLES: "glibc.pthread.rseq=0" },
  });
  for (const fd of [listener, theirs, polledTheirs]) closeSync(fd);
  orders = await Orders.connect(mine, polledMine);
});

afterAll(async () => {
  parent.kill("SIGKILL");
  await parent.exited;
  rmSync(directory, { recursive: true });
});

/** socketPair() makes both ends nonblocking, with a flag that is the open file's: the process would see it. */
function setBlocking(fd: number): void {
  syscall("fcntl", fd, F_SETFL, O_RDWR);
}

/** The two sockets by which a process is spoken to. */
class Orders {
  #text = "";
  #socket: Socket | undefined;
  #polled: Socket | undefined;

  static async connect(fd: number, polled: number): Promise<Orders> {
    const made = new Orders();
    const data = (_: Socket, bytes: Uint8Array) => {
      made.#text += Buffer.from(bytes).toString();
    };
    made.#socket = await Bun.connect({ fd, socket: { data } });
    made.#polled = await Bun.connect({ fd: polled, socket: { data() {} } });
    return made;
  }

  /** Has each thread answer. @returns what they say, sorted */
  async all(): Promise<string[]> {
    this.#text = "";
    for (const order of "cfxsmr") this.#socket!.write(order);
    this.#polled!.write("p");
    await until("each thread has answered", () => this.#text.split("\n").length === 8).catch((error) => {
      throw new Error(`${error.message}: ${this.#text}`);
    });
    return this.#text.trim().split("\n").sort();
  }

  close(): void {
    for (const socket of [this.#socket, this.#polled]) socket?.end();
  }
}

function answers(renewed: number): string[] {
  return ["compute", "condition", "futex", "mutex", "poll", `renewed ${renewed}, other 0, errno 42`, "signals"];
}

/** Sends a request. @returns what was answered to the end of the connection */
async function ask(bytes: Uint8Array, fds: readonly number[]): Promise<{ type: number; numbers: number[] }[]> {
  const socket = connectForPackets(path);
  const frames: { type: number; numbers: number[] }[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  await connectFrames({ fd: socket }, maxFromGuest, () => ({
    frame({ type, payload }: Frame) {
      const numbers = Array.from({ length: payload.length / 4 }, (_, index) => decodeU32(payload, index)!);
      frames.push({ type, numbers });
    },
    close: () => resolve(),
  }));
  if (bytes.length > 0) sendWithDescriptors(socket, bytes, fds);
  await promise;
  return frames;
}

/** Writes a program that tells the process's id, and goes on with what it was sent. */
function program(more: (p: Assembler) => void): Uint8Array {
  const p = new Assembler();
  const pid = p.zeroed(8);
  p.store(pid, p.value("getpid", []), 8);
  p.output(pid, 4);
  for (const fd of [3, 4]) p.syscall("dup3", [firstSent + fd - 3, fd, O_CLOEXEC]);
  for (const fd of [3, 4]) p.syscall("close", [firstSent + fd - 3]);
  more(p);
  return p.assemble().bytes;
}

/** Two socket pairs, of which the far ends are sent. */
async function request(bytes: Uint8Array) {
  const [mine, theirs] = socketPair();
  const [polledMine, polledTheirs] = socketPair();
  setBlocking(theirs);
  const clone = await Orders.connect(mine, polledMine);
  const frames = await ask(bytes, [theirs, polledTheirs]);
  for (const fd of [theirs, polledTheirs]) closeSync(fd);
  return { clone, frames };
}

test("all threads of a clone go on where its parent's were, and the parent's too", async () => {
  expect(await orders.all()).toEqual(answers(0));
  for (let round = 0; round < 20; round++) {
    const { clone, frames } = await request(program(() => {}));
    expect(frames.map(({ type }) => type)).toEqual([FrameType.output, FrameType.done]);
    const pid = frames[0]!.numbers[0]!;
    expect(descendantsOf(parent.pid)).toContain(pid);
    expect(await clone.all()).toEqual(answers(1));
    expect(await clone.all()).toEqual(answers(1));
    clone.close();
    await until("the clone has ended", () => identityOf(pid) === undefined);
  }
  expect(await orders.all()).toEqual(answers(0));
});

test("a program that fails says where and why, and leaves no process", async () => {
  const { clone, frames } = await request(program((p) => p.fail(3)));
  expect(frames.map(({ type }) => type)).toEqual([FrameType.output, FrameType.failed]);
  expect(frames[1]!.numbers[1]).toBe(3);
  clone.close();
  await until("the clone has ended", () => descendantsOf(parent.pid).length === 0);
});

test("what is no request ends the clone, and not its parent", async () => {
  const [one, other] = socketPair();
  try {
    const good = program(() => {});
    const random = crypto.getRandomValues(new Uint8Array(1000));
    expect(await ask(random, [one])).toEqual([]);
    expect(await ask(good.subarray(0, -1), [one])).toEqual([]);
    expect(
      await ask(
        good,
        Array.from({ length: 17 }, () => one),
      ),
    ).toEqual([]);
    // A program that asks for a descriptor it was not sent.
    expect((await ask(good, [one])).map(({ type }) => type)).toEqual([FrameType.output, FrameType.failed]);
    // Who goes without a word.
    syscall("close", connectForPackets(path));
  } finally {
    for (const fd of [one, other]) closeSync(fd);
  }
  await until("no clone is left", () => descendantsOf(parent.pid).length === 0);
  expect(parent.exitCode).toBeNull();
  expect(await orders.all()).toEqual(answers(0));
});
