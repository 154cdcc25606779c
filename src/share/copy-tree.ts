/**
 * Copies of a file tree that somebody may be writing to, who may be hostile: no name of the tree is followed anywhere. They are made twice: once
 * while the tree is in use, and then once more of what has changed since, while it is not.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { messageOf, RunvError } from "../base/error";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_PATH } from "../linux/constants";
import { SystemError, syscall } from "../linux/local";
import { copyData } from "../linux/memory-file";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR } = constants;
/** linux/fs.h: the file has another one's blocks until either is written to. */
const FICLONE = 0x4004_9409;
/** Two changes within a tick of the kernel's clock have one time. */
const tickNs = 20_000_000n;
/** linux/limits.h */
const [mostXattrs, mostXattr] = [65536, 65536];

/** Something of the tree, as it was when it was copied. */
interface Copied {
  stat: BigIntStats;
  /** Of a directory: what is in it, by names in latin1, which holds any bytes. */
  children?: Map<string, Copied>;
}

export class TreeCopies {
  readonly #from: number;
  readonly #to: readonly number[];
  readonly #device: bigint;
  readonly #copied: Copied;
  /** Files with several names: the first of those that was copied, below each copy, and how the file was then. */
  readonly #links = new Map<bigint, { path: string; ctimeNs: bigint }>();
  #since = 0n;

  /**
   * @param from the tree, a directory's descriptor, the caller's
   * @param to empty directories for the copies
   */
  constructor(from: number, to: readonly string[]) {
    this.#from = openSync(`/proc/self/fd/${from}`, O_RDONLY | O_DIRECTORY);
    this.#to = to.map((path) => openSync(path, O_RDONLY | O_DIRECTORY));
    const stat = fstatSync(this.#from, { bigint: true });
    this.#device = stat.dev;
    this.#copied = { stat, children: new Map() };
  }

  /** Copies what is not copied yet, or has changed since. @throws RunvError BRANCH_ROOT */
  sync(): void {
    const began = BigInt(Date.now()) * 1_000_000n - tickNs;
    try {
      this.#directory(this.#from, this.#to, this.#copied, "");
    } catch (cause) {
      throw new RunvError("BRANCH_ROOT", `copy the root file system: ${messageOf(cause)}`, { cause });
    }
    this.#since = began;
  }

  close(): void {
    for (const fd of [this.#from, ...this.#to]) closeSync(fd);
  }

  /** @param below the directory's path in the tree */
  #directory(from: number, to: readonly number[], copied: Copied, below: string): void {
    const stat = fstatSync(from, { bigint: true });
    const known = copied.children!;
    const isListed = this.#since > 0n && isSame(stat, copied.stat) && stat.ctimeNs < this.#since;
    const added = isListed ? new Set<string>() : this.#list(from, to, known, below);
    let changed = !isListed;
    for (const [name, child] of known) {
      const path = pathIn(from, name);
      const now = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      if (now === undefined) continue;
      const isNew = !sameFile(now, child.stat);
      const isChanged = !now.isDirectory() && (!isSame(now, child.stat) || now.ctimeNs >= this.#since);
      if (isNew || (isChanged && !added.has(name))) {
        changed = true;
        for (const fd of to) rmSync(pathIn(fd, name), { recursive: true, force: true });
        if (isNew) delete child.children;
        if (!this.#copy(path, to, name, now, below)) {
          known.delete(name);
          continue;
        }
        child.stat = now;
      }
      if (!now.isDirectory()) continue;
      const inner = this.#opened(path);
      if (inner === undefined) continue;
      const copies = to.map((fd) => openDirectory(pathIn(fd, name)));
      try {
        child.children ??= new Map();
        // What is mounted there is not of the tree.
        if (now.dev === this.#device) this.#directory(inner, copies, child, `${below}${name}/`);
        child.stat = now;
      } finally {
        for (const fd of [inner, ...copies]) closeSync(fd);
      }
    }
    if (changed) for (const fd of to) this.#attributes(proc(from), proc(fd), stat, false);
    copied.stat = stat;
  }

  /** Brings the list of a directory's names up to date; the copies of those that have gone go. @returns those that were added */
  #list(from: number, to: readonly number[], known: Map<string, Copied>, below: string): Set<string> {
    const added = new Set<string>();
    const names = new Set(readdirSync(proc(from), { encoding: "buffer" }).map((name) => name.toString("latin1")));
    for (const name of known.keys()) {
      if (names.has(name)) continue;
      known.delete(name);
      for (const fd of to) rmSync(pathIn(fd, name), { recursive: true, force: true });
    }
    for (const name of names) {
      if (known.has(name)) continue;
      const path = pathIn(from, name);
      const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      if (stat === undefined) continue;
      if (!this.#copy(path, to, name, stat, below)) continue;
      known.set(name, { stat });
      added.add(name);
    }
    return added;
  }

  /** Copies one. @returns false when it has gone meanwhile: then there is none, and the second time tells what has its name */
  #copy(from: Buffer, to: readonly number[], name: string, stat: BigIntStats, below: string): boolean {
    try {
      this.#one(from, to, name, stat, below);
      return true;
    } catch (error) {
      if (this.#since > 0n || !isReplaced(error)) throw error;
      for (const fd of to) rmSync(pathIn(fd, name), { recursive: true, force: true });
      return false;
    }
  }

  /** Opens a directory; undefined when it has gone meanwhile. */
  #opened(path: Buffer): number | undefined {
    try {
      return openDirectory(path);
    } catch (error) {
      if (this.#since > 0n || !isReplaced(error)) throw error;
      return undefined;
    }
  }

  /** Copies one, of a directory what is not in it. */
  #one(from: Buffer, directories: readonly number[], name: string, stat: BigIntStats, below: string): void {
    const known = stat.nlink > 1n && !stat.isDirectory() ? this.#links.get(stat.ino) : undefined;
    for (const [index, directory] of directories.entries()) {
      const to = pathIn(directory, name);
      if (known?.ctimeNs === stat.ctimeNs && link(pathIn(this.#to[index]!, known.path), to)) continue;
      if (stat.isDirectory()) mkdirSync(to, 0o700);
      else if (stat.isSymbolicLink()) symlinkSync(readlinkSync(from, { encoding: "buffer" }), to);
      else if (stat.isFile()) content(from, to, stat);
      else syscall("mknodat", AT_FDCWD, terminated(to), Number(stat.mode), Number(stat.rdev));
      this.#attributes(from, to, stat, true);
    }
    if (stat.nlink > 1n) this.#links.set(stat.ino, { path: `${below}${name}`, ctimeNs: stat.ctimeNs });
  }

  #attributes(from: Buffer | string, to: Buffer | string, stat: BigIntStats, isName: boolean): void {
    const [source, target] = [Buffer.from(from), Buffer.from(to)].map((path) => terminated(path as Buffer)) as [
      Buffer,
      Buffer,
    ];
    const flags = isName ? AT_SYMLINK_NOFOLLOW : 0;
    syscall("fchownat", AT_FDCWD, target, Number(stat.uid), Number(stat.gid), flags);
    // By way of a link of /proc the directory itself is meant.
    const [one, other] = isName ? [source, target] : [inDirectory(source), inDirectory(target)];
    for (const [name, value] of attributesOf(one)) syscall("lsetxattr", other, name, value, value.length, 0);
    if (!stat.isSymbolicLink()) syscall("fchmodat", AT_FDCWD, target, Number(stat.mode & 0o7777n));
    const times = [stat.atimeNs, stat.mtimeNs].flatMap((ns) => [ns / 1_000_000_000n, ns % 1_000_000_000n]);
    syscall("utimensat", AT_FDCWD, target, new Uint8Array(new BigInt64Array(times).buffer), flags);
  }
}

function proc(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

function pathIn(directory: number, name: string): Buffer {
  return Buffer.from(`${proc(directory)}/${name}`, "latin1");
}

function terminated(path: Buffer): Buffer {
  return Buffer.concat([path, Buffer.alloc(1)]);
}

function inDirectory(path: Buffer): Buffer {
  return terminated(Buffer.concat([path.subarray(0, -1), Buffer.from("/.")]));
}

function openDirectory(path: Buffer): number {
  return openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

function sameFile(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.dev === b.dev && (a.mode & 0o170000n) === (b.mode & 0o170000n);
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return sameFile(a, b) && a.ctimeNs === b.ctimeNs && a.mtimeNs === b.mtimeNs && a.size === b.size;
}

/** Gives a copy one more name. @returns false when it is not there any more */
function link(first: Buffer, to: Buffer): boolean {
  try {
    syscall("linkat", AT_FDCWD, terminated(first), AT_FDCWD, terminated(to), 0);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.code === "ENOENT") return false;
    throw error;
  }
}

/** Copies a file's content. What has its name by now may be a device of this host, which is not even opened. */
function content(from: Buffer, to: Buffer, stat: BigIntStats): void {
  const opened = [openSync(from, O_PATH | O_NOFOLLOW)];
  try {
    if (!sameFile(fstatSync(opened[0]!, { bigint: true }), stat)) throw new Replaced();
    const source = openSync(proc(opened[0]!), O_RDONLY);
    opened.push(source);
    const target = openSync(to, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    opened.push(target);
    if (stat.size === 0n || clone(source, target)) return;
    const now = fstatSync(source).size;
    ftruncateSync(target, now);
    if (now > 0) copyData(source, target);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** Another file has the name of one that was to be copied. */
class Replaced extends Error {}

/** Whether something failed because its name has gone, or is another's, since it was looked at. */
function isReplaced(error: unknown): boolean {
  const { code = "" } = error as { code?: string };
  return error instanceof Replaced || ["ENOENT", "ENOTDIR", "ELOOP", "EINVAL", "ENODATA"].includes(code);
}

/** Has a file share another one's blocks, where their file system can. */
function clone(from: number, to: number): boolean {
  try {
    syscall("ioctl", to, FICLONE, from);
    return true;
  } catch {
    return false;
  }
}

/** The extended attributes of a file: names with their zero byte, and values. */
function attributesOf(path: Buffer): [Buffer, Buffer][] {
  const names = Buffer.alloc(mostXattrs);
  let length = 0;
  try {
    length = syscall("llistxattr", path, names, names.length);
  } catch (error) {
    if (error instanceof SystemError && error.code === "ENOTSUP") return [];
    throw error;
  }
  const attributes: [Buffer, Buffer][] = [];
  for (let at = 0; at < length; ) {
    const end = names.indexOf(0, at) + 1;
    const name = names.subarray(at, end);
    at = end;
    // An overlay's own, and what a security module says of this very file.
    if (/^(trusted\.overlay\.|security\.selinux)/.test(name.toString("latin1"))) continue;
    const value = Buffer.alloc(mostXattr);
    attributes.push([Buffer.from(name), value.subarray(0, syscall("lgetxattr", path, name, value, value.length))]);
  }
  return attributes;
}
