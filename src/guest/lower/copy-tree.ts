/**
 * Copies a directory with all that is in it, for `tmpcopyup`. It is a loop of system calls like everything that the guest does: the
 * directories that are still to be copied wait, as pairs of descriptors, on a stack in the program's memory.
 */
import {
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
} from "../../linux/constants";
import type { Address, Assembler, Register } from "../../program/assembler";
import { DirectoryReader, DT_DIR, DT_LNK, DT_REG, NumberList } from "../../program/directory";
import { raiseFileLimit, setFileLimit } from "../../program/files";

/** struct statx: where things are in it. */
const statx = { size: 256, uid: 20, gid: 24, mode: 28, atime: 64, mtime: 112 };
const STATX_BASIC_STATS = 0x7ff;

/** Most bytes of a link's target. */
const linkSize = 4096;
/** How many directories may wait. */
const mostWaiting = 4096;
const directoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/**
 * Copies what is in the directory `from` into the directory `to`: directories, files and symbolic links with their owners, modes and
 * times. Devices, FIFOs and sockets stay behind.
 */
export function copyTree(p: Assembler, from: Register, to: Register, path: string): void {
  p.doing(`copy ${path} into the tmpfs that hides it`);
  const limits = raiseFileLimit(p, 2 * mostWaiting + 256);
  new TreeCopy(p).run(from, to);
  setFileLimit(p, limits);
}

class TreeCopy {
  readonly #p: Assembler;
  readonly #reader: DirectoryReader;
  /** The directories that wait: pairs of descriptors. */
  readonly #stack: NumberList;
  /** The directory that is read, and the one that is written. */
  readonly #from: Register;
  readonly #to: Register;
  /** The address of an entry's name. */
  readonly #name: Register;
  readonly #status: Address;
  readonly #uid: Register;
  readonly #gid: Register;
  readonly #mode: Register;

  constructor(p: Assembler) {
    this.#p = p;
    this.#reader = new DirectoryReader(p);
    this.#stack = new NumberList(p, 2 * mostWaiting);
    this.#status = p.zeroed(statx.size);
    this.#from = p.register();
    this.#to = p.register();
    this.#name = p.register();
    this.#uid = p.register();
    this.#gid = p.register();
    this.#mode = p.register();
  }

  run(from: Register, to: Register): void {
    const p = this.#p;
    const [another, done] = [p.label(), p.label()];
    p.syscall("openat", [from, p.text("."), directoryFlags], { into: this.#from });
    p.syscall("openat", [to, p.text("."), directoryFlags], { into: this.#to });
    this.#push(this.#from, this.#to);
    p.place(another);
    p.jumpIf(this.#stack.end, "=", this.#stack.start, done);
    this.#stack.pop(this.#to);
    this.#stack.pop(this.#from);
    this.#reader.each(this.#from, (name, type) => {
      p.set(this.#name, name);
      this.#copyEntry(type);
    });
    for (const fd of [this.#from, this.#to]) p.syscall("close", [fd]);
    p.jump(another);
    p.place(done);
    p.release(this.#from, this.#to, this.#name, this.#uid, this.#gid, this.#mode);
  }

  #push(from: Register, to: Register): void {
    this.#stack.push(from);
    this.#stack.push(to);
  }

  #copyEntry(type: Register): void {
    const p = this.#p;
    const skip = p.label();
    const into = this.#status;
    p.syscall("statx", [this.#from, this.#name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, into]);
    p.load(into.plus(statx.uid), 4, this.#uid);
    p.load(into.plus(statx.gid), 4, this.#gid);
    p.load(into.plus(statx.mode), 2, this.#mode);
    const kinds: [number, () => void][] = [
      [DT_DIR, () => this.#copyDirectory()],
      [DT_REG, () => this.#copyFile()],
      [DT_LNK, () => this.#copyLink()],
    ];
    for (const [kind, copy] of kinds) {
      const other = p.label();
      p.jumpIf(type, "≠", kind, other);
      copy();
      p.jump(skip);
      p.place(other);
    }
    p.place(skip);
  }

  #copyDirectory(): void {
    const p = this.#p;
    p.syscall("mkdirat", [this.#to, this.#name, 0o700]);
    p.syscall("fchownat", [this.#to, this.#name, this.#uid, this.#gid, AT_SYMLINK_NOFOLLOW]);
    p.syscall("fchmodat", [this.#to, this.#name, this.#mode]);
    const from = p.value("openat", [this.#from, this.#name, directoryFlags]);
    const to = p.value("openat", [this.#to, this.#name, directoryFlags]);
    this.#push(from, to);
    p.release(from, to);
  }

  #copyFile(): void {
    const p = this.#p;
    const [more, copied] = [p.label(), p.label()];
    const from = p.value("openat", [this.#from, this.#name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC]);
    const create = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const to = p.value("openat", [this.#to, this.#name, create, 0o600]);
    const sent = p.register();
    p.place(more);
    p.syscall("sendfile", [to, from, 0, 1 << 30], { into: sent });
    p.jumpIf(sent, "=", 0, copied);
    p.jump(more);
    p.place(copied);
    p.syscall("fchown", [to, this.#uid, this.#gid]);
    p.syscall("fchmod", [to, this.#mode]);
    this.#keepTimes(to);
    p.syscall("close", [from]);
    p.syscall("close", [to]);
    p.release(from, to, sent);
  }

  /** struct statx has a time as s64 and u32, struct timespec as two s64. */
  #keepTimes(file: Register): void {
    const p = this.#p;
    const times = p.zeroed(32);
    const value = p.register();
    for (const [index, from] of [statx.atime, statx.mtime].entries()) {
      p.load(this.#status.plus(from), 8, value);
      p.store(times.plus(16 * index), value, 8);
      p.load(this.#status.plus(from + 8), 4, value);
      p.store(times.plus(16 * index + 8), value, 8);
    }
    p.syscall("utimensat", [file, 0, times, 0]);
    p.release(value);
  }

  #copyLink(): void {
    const p = this.#p;
    const target = p.zeroed(linkSize);
    const end = p.value("readlinkat", [this.#from, this.#name, target, linkSize - 1]);
    p.add(end, target, end);
    p.store(end, 0, 1);
    p.syscall("symlinkat", [target, this.#to, this.#name]);
    p.syscall("fchownat", [this.#to, this.#name, this.#uid, this.#gid, AT_SYMLINK_NOFOLLOW]);
    p.release(end);
  }
}
