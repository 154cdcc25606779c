/**
 * preload/fs serves files to whoever speaks to it as a guest does: testing/guest.c, in a root of its own in which the share is. No machine is in it.
 * Everything that a guest could say which is not so is said here.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
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
  ...{ readdir: 28, create: 35, readdirplus: 44, rename2: 45, lseek: 46, copy: 47 },
} as const;
const [ENOENT, EBADF, EEXIST, EISDIR, EINVAL, ENXIO, ENOSYS, ESTALE] = [2, 9, 17, 21, 22, 6, 38, 116];
const root = 1n;

const directory = mkdtempSync(join(tmpdir(), "runv-fs-"));
const share = join(directory, "root/share");
let program: Bun.Subprocess<"pipe", "pipe", "inherit">;
let answers: AsyncIterator<Uint8Array>;
let unique = 0n;

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
  mkdirSync(join(share, "sub"));
  expect(Bun.spawnSync(["mkfifo", join(share, "fifo")]).success).toBeTrue();
  const setUp = `cd "$0" && mkdir -p usr proc && for each in bin lib lib64; do [ -e $each ] || ln -s usr/$each $each; done &&
    mount --bind /usr usr && mount --bind /proc proc && exec chroot . env LD_PRELOAD=/preload.so /guest`;
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
  return Buffer.concat([numbers([40 + body.length, opcode]), longs(++unique, node), numbers([12, 34, 1, 0]), body]);
}

const ask = (opcode: number, node: bigint, ...rest: Uint8Array[]) => say(request(opcode, node, ...rest));
const find = async (name: string, directory = root) =>
  (await ask(op.lookup, directory, names(name))).body.readBigUInt64LE();
const open = async (node: bigint, flags = 0) => (await ask(op.open, node, numbers([flags, 0]))).body.readBigUInt64LE();
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
  expect((await ask(op.release, node, longs(handle), numbers([0, 0]), longs(0n))).error).toBe(0);
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
