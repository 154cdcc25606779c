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
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_PATH } from "../linux/constants";
import { SystemError, syscall } from "../linux/local";
import { copyData } from "../linux/memory-file";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR } = constants;
/** linux/fs.h: the file has another one's blocks until either is written to. */
const FICLONE = 0x4004_9409;
/** Two changes within a tick of the kernel's clock have one time. */
const tickMs = 20;
/** linux/limits.h */
const [mostXattrs, mostXattr] = [65536, 65536];

/** Something of the tree, as it was when it was copied. */
interface Copied {
  seen: Seen;
  /** Its name, as system calls take it. */
  name: Uint8Array;
  /** Of a directory: what is in it, by names in latin1, which holds any bytes. */
  children?: Map<string, Copied>;
}

/** What tells one state of a file from another: type and mode, size, inode, times of change, file system; 32 bits each. */
type Seen = Uint32Array;

/** Where in struct statx (linux/stat.h) those are, by words of 32 bits; the mode's has 16 bits of another field, which are 0. */
const seenAt = [7, 8, 9, 10, 11, 24, 25, 26, 28, 29, 30, 34, 35] as const;
const seenWords = seenAt.length;
const [modeWord, ctimeLow, ctimeHigh, ctimeNs] = [0, 5, 6, 7];
/** Words of a file's identity: inode and file system. */
const identity = [1, 2, 11, 12];
const STATX_BASIC_STATS = 0x7ff;
const statx = new Uint32Array(64);
const statxBytes = new Uint8Array(statx.buffer);
const noName = new Uint8Array(1);
const none: ReadonlySet<string> = new Set();

/** Looks at a file, quickly; undefined when it is not there. */
function look(directory: number, name: Uint8Array, flags: number): Seen | undefined {
  try {
    syscall("statx", directory, name, flags, STATX_BASIC_STATS, statxBytes);
  } catch (error) {
    if (error instanceof SystemError && error.code === "ENOENT") return undefined;
    throw error;
  }
  const seen = new Uint32Array(seenWords);
  for (let word = 0; word < seenWords; word++) seen[word] = statx[seenAt[word]!]!;
  return seen;
}

function isSame(a: Seen, b: Seen): boolean {
  for (let word = 0; word < seenWords; word++) if (a[word] !== b[word]) return false;
  return true;
}

function isSameFile(a: Seen, b: Seen): boolean {
  return identity.every((word) => a[word] === b[word]) && (a[modeWord]! & 0o170000) === (b[modeWord]! & 0o170000);
}

function isDirectory(seen: Seen): boolean {
  return (seen[modeWord]! & 0o170000) === 0o040000;
}

/** When it was last changed, in ms since 1970. */
function changedAt(seen: Seen): number {
  return (seen[ctimeHigh]! * 2 ** 32 + seen[ctimeLow]!) * 1000 + seen[ctimeNs]! / 1e6;
}

/** Where copies of a directory are: opened when something of it is to be copied. */
class Places {
  #fds: readonly number[] | undefined;

  constructor(private readonly open: () => readonly number[]) {}

  get fds(): readonly number[] {
    this.#fds ??= this.open();
    return this.#fds;
  }

  /** Of a directory in it. */
  inside(name: string): Places {
    return new Places(() => this.fds.map((fd) => openDirectory(pathIn(fd, name))));
  }

  close(): void {
    for (const fd of this.#fds ?? []) closeSync(fd);
  }
}

export class TreeCopies {
  readonly #from: number;
  readonly #to: readonly number[];
  readonly #device: bigint;
  readonly #copied: Copied;
  readonly #isLayer: boolean;
  /** Files with several names: the first of those that was copied, below each copy, and how the file was then. */
  readonly #links = new Map<bigint, { path: string; ctimeNs: bigint }>();
  #since = 0;

  /**
   * @param from the tree, a directory's descriptor, the caller's
   * @param to empty directories for the copies
   * @param isLayer it is a layer of an overlay file system, and so are its copies
   */
  constructor(from: number, to: readonly string[], isLayer = false) {
    this.#from = openSync(`/proc/self/fd/${from}`, O_RDONLY | O_DIRECTORY);
    this.#to = to.map((path) => openSync(path, O_RDONLY | O_DIRECTORY));
    this.#isLayer = isLayer;
    this.#device = fstatSync(this.#from, { bigint: true }).dev;
    this.#copied = { seen: new Uint32Array(seenWords), name: new Uint8Array(1), children: new Map() };
  }

  /** Copies what is not copied yet, or has changed since. @throws RunvError BRANCH_ROOT */
  sync(): void {
    const began = Date.now() - tickMs;
    try {
      this.#directory(this.#from, new Places(() => this.#to), this.#copied, "");
    } catch (cause) {
      throw new RunvError("BRANCH_ROOT", `copy the root file system: ${messageOf(cause)}`, { cause });
    }
    this.#since = began;
  }

  close(): void {
    for (const fd of [this.#from, ...this.#to]) closeSync(fd);
  }

  /** @param below the directory's path in the tree */
  #directory(from: number, to: Places, copied: Copied, below: string): void {
    const own = look(from, noName, AT_EMPTY_PATH)!;
    const known = copied.children!;
    const isListed = this.#isUnchanged(own, copied.seen);
    const added = isListed ? none : this.#list(from, to, known, below);
    let changed = !isListed;
    for (const [name, child] of known) {
      const now = look(from, child.name, AT_SYMLINK_NOFOLLOW);
      if (now === undefined) continue;
      const isNew = !isSameFile(now, child.seen);
      if (isNew || (!isDirectory(now) && !this.#isUnchanged(now, child.seen) && !added.has(name))) {
        changed = true;
        for (const fd of to.fds) rmSync(pathIn(fd, name), { recursive: true, force: true });
        if (isNew) delete child.children;
        const stat = lstatSync(pathIn(from, name), { bigint: true, throwIfNoEntry: false });
        if (stat === undefined || !this.#copy(from, to, name, stat, below)) {
          known.delete(name);
          continue;
        }
        child.seen = now;
      }
      if (!isDirectory(now)) continue;
      const inner = this.#opened(pathIn(from, name));
      if (inner === undefined) continue;
      const places = to.inside(name);
      try {
        child.children ??= new Map();
        // What is mounted there is not of the tree.
        if (fstatSync(inner, { bigint: true }).dev === this.#device) {
          this.#directory(inner, places, child, `${below}${name}/`);
        }
      } finally {
        places.close();
        closeSync(inner);
      }
    }
    if (!changed) return;
    const stat = fstatSync(from, { bigint: true });
    for (const fd of to.fds) this.#attributes(proc(from), proc(fd), stat, false);
    copied.seen = own;
  }

  /** Whether something is as it was when it was copied, which was not within the tick of the clock in which it was last changed. */
  #isUnchanged(now: Seen, then: Seen): boolean {
    return this.#since > 0 && isSame(now, then) && changedAt(now) < this.#since;
  }

  /** Brings the list of a directory's names up to date; the copies of those that have gone go. @returns those that were added */
  #list(from: number, to: Places, known: Map<string, Copied>, below: string): ReadonlySet<string> {
    const added = new Set<string>();
    const names = new Set(readdirSync(proc(from), { encoding: "buffer" }).map((name) => name.toString("latin1")));
    for (const name of known.keys()) {
      if (names.has(name)) continue;
      known.delete(name);
      for (const fd of to.fds) rmSync(pathIn(fd, name), { recursive: true, force: true });
    }
    for (const name of names) {
      if (known.has(name)) continue;
      const terms = Buffer.from(`${name}\0`, "latin1");
      const seen = look(from, terms, AT_SYMLINK_NOFOLLOW);
      const stat = lstatSync(pathIn(from, name), { bigint: true, throwIfNoEntry: false });
      if (seen === undefined || stat === undefined) continue;
      if (!this.#copy(from, to, name, stat, below)) continue;
      known.set(name, { seen, name: terms });
      added.add(name);
    }
    return added;
  }

  /** Copies one. @returns false when it has gone meanwhile: then there is none, and the second time tells what has its name */
  #copy(from: number, to: Places, name: string, stat: BigIntStats, below: string): boolean {
    try {
      this.#one(pathIn(from, name), to.fds, name, stat, below);
      return true;
    } catch (error) {
      if (this.#since > 0 || !isReplaced(error)) throw error;
      for (const fd of to.fds) rmSync(pathIn(fd, name), { recursive: true, force: true });
      return false;
    }
  }

  /** Opens a directory; undefined when it has gone meanwhile. */
  #opened(path: Buffer): number | undefined {
    try {
      return openDirectory(path);
    } catch (error) {
      if (this.#since > 0 || !isReplaced(error)) throw error;
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
    for (const [name, value] of attributesOf(one, this.#isLayer))
      syscall("lsetxattr", other, name, value, value.length, 0);
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

const notOfTrees = /^(trusted\.overlay\.|security\.selinux)/;
/** Those that name this very layer (fs/overlayfs/overlayfs.h). */
const notOfLayers = /^(trusted|user)\.overlay\.(upper|nlink|uuid|protattr)\0|^security\.selinux/;

/** Filled again and again: thousands of files are looked at. */
const [names, value] = [Buffer.alloc(mostXattrs), Buffer.alloc(mostXattr)];

/** The extended attributes of a file: names with their zero byte, and values. @param isLayer with an overlay's own, where they say what is in the layer */
function attributesOf(path: Buffer, isLayer: boolean): [Buffer, Buffer][] {
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
    const name = Buffer.from(names.subarray(at, end));
    at = end;
    // An overlay's own, and what a security module says of this very file.
    if ((isLayer ? notOfLayers : notOfTrees).test(name.toString("latin1"))) continue;
    const length = syscall("lgetxattr", path, name, value, value.length);
    attributes.push([name, Buffer.from(value.subarray(0, length))]);
  }
  return attributes;
}
