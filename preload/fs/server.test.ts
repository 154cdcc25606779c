/**
 * preload/fs serves files to whoever speaks to it as a guest does: testing/guest.c, in a root of its own in which the share is. No machine is in it.
 * Everything that a guest could say which is not so is said here.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** include/uapi/linux/fuse.h */
const op = {
  ...{
    lookup: 1,
    forget: 2,
    getattr: 3,
    setattr: 4,
    readlink: 5,
    symlink: 6,
    mknod: 8,
    mkdir: 9,
    unlink: 10,
    rmdir: 11,
  },
  ...{
    link: 13,
    open: 14,
    read: 15,
    write: 16,
    statfs: 17,
    release: 18,
    setxattr: 21,
    getxattr: 22,
    init: 26,
    opendir: 27,
  },
  ...{ readdir: 28, create: 35, fallocate: 43, readdirplus: 44, rename2: 45, lseek: 46, copy: 47 },
} as const;
const [EPERM, ENOENT, EBADF, EEXIST, EISDIR, EINVAL, ENXIO, ENOSYS, ESTALE] = [1, 2, 9, 17, 21, 22, 6, 38, 116];
const root = 1n;

const directory = mkdtempSync(join(tmpdir(), "runv-fs-"));
const share = join(directory, "root/share");
let program: Bun.Subprocess<"pipe", "pipe", "inherit">;
let answers: AsyncIterator<Uint8Array>;
let unique = 0n;
/** The process that asks. */
let pid = 1;

const isRoot = process.getuid?.() === 0;

beforeAll(async () => {
  if (!isRoot) return;
  mkdirSync(share, { recursive: true });
  const guest = join(directory, "root/guest");
  const cc = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-o", guest];
  const build = Bun.spawnSync([...cc, join(import.meta.dir, "../testing/guest.c")]);
  if (!build.success) throw new Error(build.stderr.toString());
  writeFileSync(join(directory, "root/preload.so"), readFileSync(join(import.meta.dir, "../../dist/preload.so")));
  writeFileSync(join(directory, "root/canary"), "canary");
  writeFileSync(join(share, "file"), "content");
  symlinkSync("../canary", join(share, "out"));
  symlinkSync("/", join(share, "top"));
  for (const each of ["sub", "other"]) mkdirSync(join(share, each));
  for (const each of ["one/rootfs/sub", "one/0"]) mkdirSync(join(share, each), { recursive: true });
  for (const each of ["one/rootfs/kept", "one/rootfs/mark", "one/rootfs/linked", "one/0/file"])
    writeFileSync(join(share, each), each);
  linkSync(join(share, "one/rootfs/linked"), join(share, "one/rootfs/sub/linked"));
  expect(Bun.spawnSync(["mkfifo", join(share, "fifo")]).success).toBeTrue();
  const setUp = `cd "$0" && mkdir -p usr proc && for each in bin lib lib64; do [ -e $each ] || ln -s usr/$each $each; done &&
    mount --bind /usr usr && mount --bind /proc proc && mount -t tmpfs other share/other && exec chroot . env LD_PRELOAD=/preload.so /guest`;
  program = Bun.spawn(["unshare", "-m", "sh", "-c", setUp, join(directory, "root")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  answers = packets(program.stdout);
  const init = numbers([7, 38, 1 << 17, 0xffff_ffff, ...Array(12).fill(0)]);
  expect((await ask(op.init, 0n, init)).error).toBe(0);
});

afterAll(async () => {
  program?.kill("SIGKILL");
  await program?.exited;
  rmSync(directory, { recursive: true });
});

/** What comes with a length of four bytes before it. */
async function* packets(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  let have = Buffer.alloc(0);
  for await (const bytes of stream as unknown as AsyncIterable<Uint8Array>) {
    have = Buffer.concat([have, bytes]);
    while (have.length >= 4 && have.length >= 4 + have.readUInt32LE()) {
      yield have.subarray(4, 4 + have.readUInt32LE());
      have = have.subarray(4 + have.readUInt32LE());
    }
  }
}

const numbers = (words: readonly number[]) => Buffer.from(new Uint32Array(words).buffer);
const longs = (...words: bigint[]) => Buffer.from(new BigUint64Array(words).buffer);
const names = (...words: string[]) => Buffer.from(`${words.join("\0")}\0`);

interface Answer {
  written: number;
  error: number;
  body: Buffer;
}

async function say(bytes: Uint8Array): Promise<Answer> {
  program.stdin.write(Buffer.concat([numbers([bytes.length]), bytes]));
  await program.stdin.flush();
  const { value, done } = await answers.next();
  if (done === true) throw new Error("the server has gone");
  const answer = Buffer.from(value);
  return {
    written: answer.length,
    error: answer.length < 16 ? 0 : Math.abs(answer.readInt32LE(4)),
    body: answer.subarray(16),
  };
}

function request(opcode: number, node: bigint, ...rest: Uint8Array[]): Buffer {
  const body = Buffer.concat(rest);
  return Buffer.concat([numbers([40 + body.length, opcode]), longs(++unique, node), numbers([12, 34, pid, 0]), body]);
}

const ask = (opcode: number, node: bigint, ...rest: Uint8Array[]) => say(request(opcode, node, ...rest));
const find = async (name: string, directory = root) =>
  (await ask(op.lookup, directory, names(name))).body.readBigUInt64LE();
const open = async (node: bigint, flags = 0) => (await ask(op.open, node, numbers([flags, 0]))).body.readBigUInt64LE();
const release = (node: bigint, handle: bigint) => ask(op.release, node, longs(handle), numbers([0, 0]), longs(0n));
const transfer = (handle: bigint, offset: bigint, size: number) =>
  Buffer.concat([longs(handle, offset), numbers([size, 0, 0, 0, 0, 0])]);

const rootTest = test.skipIf(!isRoot);

rootTest("it reads, writes and makes files, for the guest's users", async () => {
  const node = await find("file");
  const handle = await open(node, 2);
  expect((await ask(op.read, node, transfer(handle, 0n, 100))).body.toString()).toBe("content");
  expect((await ask(op.write, node, transfer(handle, 3n, 4), Buffer.from("ROAR"))).error).toBe(0);
  expect(readFileSync(join(share, "file"), "utf8")).toBe("conROAR");
  expect((await ask(op.mkdir, root, numbers([0o700, 0]), names("made"))).error).toBe(0);
  expect((await ask(op.symlink, root, names("link", "somewhere"))).error).toBe(0);
  expect((await ask(op.create, root, numbers([1, 0o100604, 0, 0]), names("new"))).error).toBe(0);
  for (const [name, mode] of [
    ["made", 0o40700],
    ["link", 0o120777],
    ["new", 0o100604],
  ] as const)
    expect(lstatSync(join(share, name))).toMatchObject({ mode, uid: 12, gid: 34 });
  expect((await ask(op.rename2, root, longs(root, 1n), names("new", "file"))).error).toBe(EEXIST);
  expect((await ask(op.rename2, root, longs(root, 0n), names("new", "newer"))).error).toBe(0);
  expect((await ask(op.unlink, root, names("newer"))).error).toBe(0);
  expect((await ask(op.rmdir, root, names("made"))).error).toBe(0);
  expect((await release(node, handle)).error).toBe(0);
});

rootTest("it copies, to another file system, too", async () => {
  const node = await find("file");
  const from = await open(node);
  for (const directory of [root, await find("other")]) {
    const { error, body } = await ask(op.create, directory, numbers([2, 0o100600, 0, 0]), names("copy"));
    expect(error).toBe(0);
    const [copy, to] = [body.readBigUInt64LE(), body.readBigUInt64LE(128)];
    const copied = await ask(op.copy, node, longs(from, 2n, copy, to, 1n, 4n, 0n));
    expect([copied.error, copied.body.readUInt32LE()]).toEqual([0, 4]);
    expect((await ask(op.read, copy, transfer(to, 0n, 100))).body.toString()).toBe("\0nROA");
    await release(copy, to);
  }
  await release(node, from);
});

rootTest("what was read just after a change is not kept when it is opened again", async () => {
  const OPENED_KEEP_CACHE = 2;
  const now = Date.now() / 1000;
  // Changed in a minute: lately enough, however slow this is.
  const touch = (when: number) => utimesSync(join(share, "file"), when, when);
  const node = await find("file");
  const keeps = async (opcode: number, of: bigint) => {
    const { body } = await ask(opcode, of, numbers([0, 0]));
    const handle = body.readBigUInt64LE();
    if (opcode === op.open) await ask(op.read, node, transfer(handle, 0n, 100));
    await release(of, handle);
    return (body.readUInt32LE(8) & OPENED_KEEP_CACHE) !== 0;
  };
  const said = [];
  for (const when of [now - 60, now + 60, now - 60, now - 60]) {
    touch(when);
    said.push(await keeps(op.open, node));
  }
  expect(said).toEqual([true, true, false, true]);
  const sub = await find("sub");
  for (const [when, kept] of [
    [now - 60, true],
    [now + 60, false],
  ] as const) {
    utimesSync(join(share, "sub"), when, when);
    expect(await keeps(op.opendir, sub)).toBe(kept);
  }
});

rootTest("a directory is listed, with what a look-up would tell", async () => {
  const handle = (await ask(op.opendir, root, numbers([0, 0]))).body.readBigUInt64LE();
  for (const opcode of [op.readdir, op.readdirplus]) {
    const { error, body } = await ask(opcode, root, transfer(handle, 0n, 4096));
    expect(error).toBe(0);
    for (const name of ["file", "sub", "fifo", "out"]) expect(body.includes(name)).toBeTrue();
  }
  expect((await ask(op.readdir, root, transfer(handle, 0n, 8))).error).toBe(EINVAL);
});

rootTest("a name is one part of a path", async () => {
  const long = "x".repeat(256);
  for (const name of ["..", ".", "", "sub/..", "../canary", "/canary", "out/x", long]) {
    const of = names(name);
    expect([name, (await ask(op.lookup, root, of)).error]).toEqual([name, EINVAL]);
    expect((await ask(op.mkdir, root, numbers([0o700, 0]), of)).error).toBe(EINVAL);
    expect((await ask(op.create, root, numbers([1, 0o600, 0, 0]), of)).error).toBe(EINVAL);
    expect((await ask(op.unlink, root, of)).error).toBe(EINVAL);
    expect((await ask(op.rename2, root, longs(root, 0n), names("file", name))).error).toBe(EINVAL);
    expect((await ask(op.rename2, root, longs(root, 0n), names(name, "taken"))).error).toBe(EINVAL);
    expect((await ask(op.link, root, longs(await find("file")), of)).error).toBe(EINVAL);
    expect((await ask(op.symlink, root, names(name, "target"))).error).toBe(EINVAL);
  }
  // Without its end.
  for (const opcode of [op.lookup, op.unlink])
    expect((await ask(opcode, root, Buffer.from("file"))).error).toBe(EINVAL);
  expect((await ask(op.symlink, root, names("s"), Buffer.from("target"))).error).toBe(EINVAL);
  expect(readFileSync(join(directory, "root/canary"), "utf8")).toBe("canary");
});

rootTest("links and special files are not opened, and nothing is looked up in what is no directory", async () => {
  const outside = await find("out");
  const top = await find("top");
  const fifo = await find("fifo");
  for (const node of [outside, top, fifo]) {
    expect((await ask(op.open, node, numbers([0, 0]))).error).toBe(ENXIO);
    expect((await ask(op.opendir, node, numbers([0, 0]))).error).not.toBe(0);
    expect((await ask(op.lookup, node, names("canary"))).error).toBe(ESTALE);
    expect((await ask(op.mkdir, node, numbers([0o700, 0]), names("made"))).error).toBe(ESTALE);
    // Its size: of what it leads to it would be.
    const size = Buffer.alloc(88);
    size.writeUInt32LE(8);
    expect((await ask(op.setattr, node, size)).error).toBe(EINVAL);
  }
  expect((await ask(op.create, root, numbers([1 | 0o1000, 0o600, 0, 0]), names("out"))).error).toBe(ENXIO);
  expect((await ask(op.create, root, numbers([0, 0o600, 0, 0]), names("fifo"))).error).toBe(ENXIO);
  expect((await ask(op.create, root, numbers([0, 0o600, 0, 0]), names("sub"))).error).toBe(EISDIR);
  expect((await ask(op.readlink, outside)).body.toString()).toBe("../canary");
  expect((await ask(op.setxattr, outside, numbers([1, 0]), names("user.a"), Buffer.from("b"))).error).not.toBe(0);
  expect(readFileSync(join(directory, "root/canary"), "utf8")).toBe("canary");
  expect(existsSync(join(directory, "root/made"))).toBeFalse();
});

rootTest("numbers that are none of the guest's are refused", async () => {
  const node = await find("file");
  const handle = await open(node);
  for (const wrong of [0n, 9999n, 1n << 20n, (1n << 32n) + node, 2n ** 64n - 1n]) {
    for (const opcode of [op.getattr, op.statfs, op.readlink, op.open, op.setattr, op.opendir])
      expect((await ask(opcode, wrong, Buffer.alloc(88))).error).toBe(ESTALE);
    expect((await ask(op.lookup, wrong, names("file"))).error).toBe(ESTALE);
    expect((await ask(op.link, root, longs(wrong), names("linked"))).error).toBe(ESTALE);
    expect((await ask(op.rename2, root, longs(wrong, 0n), names("file", "file2"))).error).toBe(ESTALE);
  }
  // Descriptors of the process, and a handle of another file's.
  for (const wrong of [0n, 1n, 12n, 20n, 2n ** 32n, 2n ** 64n - 1n].filter((each) => each !== handle)) {
    expect((await ask(op.read, node, transfer(wrong, 0n, 100))).error).toBe(EBADF);
    expect((await ask(op.lseek, node, longs(wrong, 0n), numbers([0, 0]))).error).toBe(EBADF);
  }
  expect((await ask(op.read, root, transfer(handle, 0n, 100))).error).toBe(EBADF);
  expect((await ask(op.copy, node, longs(handle, 0n, root, handle, 0n, 1n, 0n))).error).toBe(EBADF);
  expect((await ask(op.readdir, node, transfer(handle, 0n, 100))).error).toBe(EBADF);
  expect((await ask(op.write, node, transfer(handle, 0n, 1000), Buffer.from("few"))).error).toBe(EINVAL);
  for (const opcode of [0, 7, 12345, 0xffff_ffff]) expect((await ask(opcode, root)).error).toBe(ENOSYS);
  expect((await ask(op.lookup, root, names("none"))).error).toBe(ENOENT);
  // Forgotten more often than it was looked up.
  await ask(op.forget, node, longs(2n ** 64n - 1n));
  expect((await ask(op.getattr, node, Buffer.alloc(16))).error).toBe(ESTALE);
  await ask(op.forget, root, longs(2n ** 64n - 1n));
  expect((await ask(op.getattr, root, Buffer.alloc(16))).error).toBe(0);
});

rootTest("what is too short for what it says to be is refused", async () => {
  const node = await find("file");
  for (const opcode of [op.getattr, op.setattr, op.open, op.read, op.write, op.lseek, op.copy, op.link, op.rename2])
    expect((await ask(opcode, node, Buffer.alloc(3))).error).toBeOneOf([EINVAL, EBADF, ESTALE]);
  expect((await ask(op.setxattr, node, numbers([1000, 0]), names("user.a"), Buffer.from("b"))).error).toBe(EINVAL);
  expect((await ask(op.getxattr, node, numbers([8, 0]), Buffer.from("user.a"))).error).toBe(EINVAL);
  expect((await ask(op.lookup, root, Buffer.alloc(70_000, "x"))).error).toBe(EINVAL);
});

rootTest("chains that no driver makes are used without an answer, and the next is served", async () => {
  for (const word of ["outside ", "wrapping", "loop    ", "beyond  ", "tables  ", "short   ", "no room "]) {
    const { written } = await say(Buffer.concat([Buffer.from(word), request(op.getattr, root, Buffer.alloc(16))]));
    expect([word, written]).toEqual([word, 0]);
    expect((await ask(op.getattr, root, Buffer.alloc(16))).error).toBe(0);
  }
});

rootTest("the guest is told of answers for which nobody waits, too: a little later, or with the next", async () => {
  const forget = () => request(op.forget, root, longs(0n));
  for (let round = 0; round < 3; round++) {
    expect((await say(Buffer.concat([Buffer.from("told    "), forget()]))).error).toBe(0);
    expect((await say(forget())).error).toBe(0);
    const getattr = request(op.getattr, root, Buffer.alloc(16));
    expect((await say(Buffer.concat([Buffer.from("told    "), getattr]))).error).toBe(0);
  }
});

/** What a look-up says: the node, and for how many seconds its name and its attributes may be kept. */
async function look(name: string, directory: bigint) {
  const { error, body } = await ask(op.lookup, directory, names(name));
  if (error !== 0) return { error };
  const [node, , name_, attributes] = [0, 8, 16, 24].map((at) => body.readBigUInt64LE(at));
  return { node, keeps: [name_ !== 0n, attributes !== 0n] };
}

/** As the guest's agent: asks for what was changed. */
const agent = 77;
async function asAgent<T>(action: () => Promise<T>): Promise<T> {
  pid = agent;
  try {
    return await action();
  } finally {
    pid = 1;
  }
}
const wait = () =>
  asAgent(() =>
    say(
      Buffer.concat([
        Buffer.from("submit  "),
        request(op.getxattr, root, numbers([2648, 0]), names("trusted.runv.changes")),
      ]),
    ),
  );
/** What it is told, and asks for the next. */
async function told() {
  const change = await toldNow();
  await wait();
  return change;
}
/** What it is told; the next it does not ask for yet. */
async function toldNow() {
  const { body } = await say(Buffer.from("answer  "));
  expect(body).toHaveLength(2648);
  const [what, , size, type, high, low] = new Uint32Array(body.buffer.slice(body.byteOffset, body.byteOffset + 24));
  if (what !== 3) expect([size, type, high]).toEqual([12, 0x81, 0]);
  const name = body.subarray(28, body.indexOf(0, 28)).toString();
  return [whats[what! - 1], BigInt(low!), name] as const;
}
/** enum what of protocol.h. */
const whats = ["file", "name", "all", "times", "close", "make", "makeDirectory", "makeLink", "remove", "rename"];

rootTest("what the guest keeps of a root file system, it is told of when the host changes it", async () => {
  const at = (name: string) => join(share, "one/rootfs", name);
  const one = await find("one");
  const top = await find("rootfs", one);
  // There is nobody to be told.
  expect(await look("kept", top)).toMatchObject({ keeps: [false, false] });
  await wait();
  const { node: kept } = await look("kept", top);
  const { node: mark } = await look("mark", top);
  expect(await look("kept", top)).toEqual({ node: kept, keeps: [true, true] });
  expect(await look("none", top)).toEqual({ node: 0n, keeps: [true, false] });
  // What may be changed by another name is not.
  expect(await look("linked", top)).toMatchObject({ keeps: [true, false] });
  expect(await look("file", await find("0", one))).toMatchObject({ keeps: [false, false] });
  expect(await look("rootfs", one)).toMatchObject({ keeps: [false, true] });

  /** What it is told until it is told of the mark, which the host changes now. */
  const toldSoFar = async () => {
    appendFileSync(at("mark"), "more");
    const all = [];
    for (;;) {
      const each = await told();
      if (each[1] === mark) return all;
      // What is left of the mark before.
      if (each[2] !== "mark") all.push(each);
    }
  };
  appendFileSync(at("kept"), "more");
  expect(await toldSoFar()).toEqual([
    ["file", kept!, ""],
    ["times", top, "kept"],
    ["close", top, "kept"],
  ]);
  renameSync(at("kept"), at("none"));
  const renamed = await toldSoFar();
  for (const each of [
    ["rename", top, "kept"],
    ["name", top, "kept"],
    ["name", top, "none"],
    ["file", top, ""],
    ["file", kept!, ""],
  ] as const)
    expect(renamed).toContainEqual(each);

  // Of its own changes it is not told.
  const handle = await open(mark!, 2);
  for (const step of [
    ask(op.write, mark!, transfer(handle, 0n, 4), Buffer.from("more")),
    ask(op.mkdir, top, numbers([0o2755, 0]), names("made")),
    ask(op.rename2, top, longs(top, 0n), names("made", "made2")),
    ask(op.create, top, numbers([1, 0o100604, 0, 0]), names("new")),
    ask(op.link, top, longs(mark!), names("second")),
    ask(op.unlink, top, names("second")),
    ask(op.rename2, top, longs(top, 2n), names("new", "made2")),
    ask(op.unlink, top, names("made2")),
    ask(op.rmdir, top, names("new")),
  ])
    expect((await step).error).toBe(0);
  expect(await toldSoFar()).toEqual([]);

  // The agent wants to know what is, and nothing made.
  await asAgent(async () => {
    expect((await ask(op.mkdir, top, numbers([0o700, 0]), names("absent"))).error).toBe(EEXIST);
    const OPENED_KEEP_CACHE = 2;
    expect((await ask(op.open, mark!, numbers([0, 0]))).body.readUInt32LE(8) & OPENED_KEEP_CACHE).toBe(0);
    expect((await ask(op.getattr, mark!, Buffer.alloc(16))).body.readBigUInt64LE()).toBe(0n);
  });
  expect(existsSync(at("absent"))).toBeFalse();
});

rootTest("of more changes than it can be told of one by one it is told that all may be changed", async () => {
  const top = await find("rootfs", await find("one"));
  const { node } = await look("mark", top);
  // It is busy with the first.
  appendFileSync(join(share, "one/rootfs/mark"), "more");
  await say(Buffer.from("answer  "));
  const at = (name: string) => join(share, "one/rootfs/sub", name);
  const sub = await find("sub", top);
  writeFileSync(at("0"), "");
  // Each is told of two names.
  for (let i = 0; i < 8_500; i++) renameSync(at(`${i}`), at(`${i + 1}`));
  await wait();
  expect((await told())[0]).toBe("all");
  // And then of each that it knows.
  const all: bigint[] = [];
  for (;;) {
    all.push((await toldNow())[1]);
    // In what order depends on the file system: there may be more, and there may not.
    if (all.at(-1) === sub) break;
    await wait();
  }
  for (const each of [top, node!]) expect(all).toContain(each);
});

rootTest("what the agent replays of a volume, it is answered as if it were done then", async () => {
  const one = await find("one");
  const volume = await find("0", one);
  const at = (name: string) => join(share, "one/0", name);
  const file = await find("file", volume);
  await wait();
  /** Waits for this to be told; what was pending before is of no interest. */
  const toldOf = async (wanted: string, name: string) => {
    for (;;) {
      const [what, directory, of] = await toldNow();
      if (what === wanted && of === name) return expect(directory).toBe(volume);
      await wait();
    }
  };
  const lookUp = async (name: string) => (await ask(op.lookup, volume, names(name))).error;

  writeFileSync(at("made"), "made");
  await toldOf("make", "made");
  await asAgent(async () => {
    expect(await lookUp("made")).toBe(ENOENT);
    const { error, body } = await ask(op.mknod, volume, numbers([0o100600, 0, 0, 0]), names("made"));
    expect([error, body.readBigUInt64LE()]).toEqual([0, await find("made", volume)]);
    // Of another name nothing is made, or pretended.
    expect((await ask(op.mknod, volume, numbers([0o100600, 0, 0, 0]), names("other"))).error).toBe(EEXIST);
    expect((await ask(op.symlink, volume, names("other", "target"))).error).toBe(EEXIST);
  });
  expect(existsSync(at("other"))).toBeFalse();
  await wait();

  // What the guest has never seen is there for this, and nothing can be done with it.
  mkdirSync(at("unseen"));
  rmSync(at("unseen"), { recursive: true });
  await toldOf("remove", "unseen");
  await asAgent(async () => {
    const unseen = await find("unseen", volume);
    expect((await ask(op.opendir, unseen, numbers([0, 0]))).error).toBe(ENOENT);
    expect((await ask(op.lookup, unseen, names("self"))).error).toBe(EBADF);
    expect((await ask(op.getxattr, unseen, numbers([8, 0]), names("user.a"))).error).toBe(ENOENT);
    expect((await ask(op.rmdir, volume, names("unseen"))).error).toBe(0);
  });
  await wait();

  rmSync(at("made"));
  await toldOf("remove", "made");
  expect(await lookUp("made")).toBe(ENOENT);
  await asAgent(async () => {
    expect(await lookUp("made")).toBe(0);
    expect((await ask(op.unlink, volume, names("made"))).error).toBe(0);
  });
  expect(await lookUp("made")).toBe(ENOENT);

  // Before it asks: a rename is two events, and who waits for the first is told of that one alone.
  renameSync(at("file"), at("renamed"));
  await wait();
  await toldOf("rename", "file");
  await asAgent(async () => {
    expect(await find("file", volume)).toBe(file);
    expect(await lookUp("renamed")).toBe(ENOENT);
    expect((await ask(op.rename2, volume, longs(volume, 0n), names("file", "renamed"))).error).toBe(0);
  });
  expect([await lookUp("file"), await find("renamed", volume)]).toEqual([ENOENT, file]);
  await wait();

  // The size is what it is, and of another time the guest does not hear by this.
  appendFileSync(at("renamed"), "more");
  await toldOf("times", "renamed");
  const setattr = (valid: number) => {
    const body = Buffer.alloc(88);
    body.writeUInt32LE(valid);
    return ask(op.setattr, file, body);
  };
  const [MODE, SIZE, MTIME] = [1, 8, 32];
  const { mtimeMs } = lstatSync(at("renamed"));
  await asAgent(async () => {
    expect((await setattr(MTIME)).error).toBe(EPERM);
    expect((await ask(op.getattr, file, Buffer.alloc(16))).error).toBe(0);
    const { error, body } = await setattr(MTIME | MODE | SIZE);
    expect([error, body.readBigUInt64LE(24)]).toEqual([0, 14n]);
  });
  expect(lstatSync(at("renamed"))).toMatchObject({ mtimeMs, size: 14 });
  await wait();
});

rootTest("nothing that the agent asks for changes anything", async () => {
  const volume = await find("0", await find("one"));
  const node = await find("renamed", volume);
  const path = join(share, "one/0/renamed");
  const handle = await open(node, 2);
  const before = lstatSync(path);
  await asAgent(async () => {
    const opened = await open(node, 2 | 0o1000);
    for (const each of [handle, opened]) {
      expect((await ask(op.write, node, transfer(each, 0n, 4), Buffer.from("evil"))).error).toBe(EPERM);
      expect((await ask(op.fallocate, node, longs(each, 0n, 100n), numbers([0, 0]))).error).toBe(EPERM);
    }
    expect((await ask(op.create, volume, numbers([1, 0o600, 0, 0]), names("evil"))).error).toBe(EPERM);
    expect((await ask(op.link, volume, longs(node), names("evil"))).error).toBe(EPERM);
    expect((await ask(op.unlink, volume, names("renamed"))).error).toBe(EPERM);
    expect((await ask(op.rename2, volume, longs(volume, 0n), names("renamed", "evil"))).error).toBe(EPERM);
    expect((await ask(op.setattr, node, Buffer.alloc(88, 1))).error).toBe(EPERM);
    const set = [numbers([1, 0]), names("user.a"), Buffer.from("b")];
    expect((await ask(op.setxattr, node, ...set)).error).toBe(EPERM);
  });
  expect(lstatSync(path)).toEqual(before);
  expect(readFileSync(path, "utf8")).toBe("one/0/filemore");
  // What a program has written to a map, the kernel hands over in the name of who has it given up.
  const fromCache = Buffer.concat([longs(handle, 0n), numbers([4, 1, 0, 0, 0, 0])]);
  expect((await asAgent(() => ask(op.write, node, fromCache, Buffer.from("maps")))).error).toBe(0);
  expect(readFileSync(path, "utf8")).toBe("maps0/filemore");
});
