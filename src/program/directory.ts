/** Pieces of programs that read directories: getdents64(2) and struct linux_dirent64. */
import { errnoOf } from "../linux/errno";
import type { Address, Assembler, Register } from "./assembler";

/** Where things are in struct linux_dirent64. */
const dirent = { length: 16, type: 18, name: 19 };
/** What `d_type` says. */
export const [DT_DIR, DT_REG, DT_LNK] = [4, 8, 10] as const;

const bufferSize = 4096;

/** Memory for reading one directory at a time. */
export class DirectoryReader {
  readonly #buffer: Address;

  constructor(readonly p: Assembler) {
    this.#buffer = p.zeroed(bufferSize);
  }

  /**
   * Does something with each entry of a directory, `.` and `..` left out, from where its descriptor's offset is.
   * @param directory a descriptor that is open for reading
   * @param body gets the address of the name and the entry's `d_type`
   */
  each(directory: Register, body: (name: Register, type: Register) => void): void {
    const { p } = this;
    const [more, each, next, empty] = [p.label(), p.label(), p.label(), p.label()];
    const [at, end, field, name, type] = [p.register(), p.register(), p.register(), p.register(), p.register()];
    p.place(more);
    p.syscall("getdents64", [directory, this.#buffer, bufferSize], { into: end });
    p.jumpIf(end, "=", 0, empty);
    p.set(at, this.#buffer);
    p.add(end, this.#buffer, end);
    p.place(each);
    p.add(at, dirent.name, name);
    p.add(at, dirent.type, field);
    p.load(field, 1, type);
    p.add(at, dirent.length, field);
    p.load(field, 2, field);
    p.add(at, field, at);
    this.#skipDots(name, next);
    body(name, type);
    p.place(next);
    p.jumpIf(at, "<", end, each);
    p.jump(more);
    p.place(empty);
    p.release(at, end, field, name, type);
  }

  #skipDots(name: Register, skip: ReturnType<Assembler["label"]>): void {
    const { p } = this;
    const other = p.label();
    const [at, byte] = [p.register(), p.register()];
    p.set(at, name);
    for (let dots = 0; dots < 3; dots++) {
      p.load(at, 1, byte);
      if (dots > 0) p.jumpIf(byte, "=", 0, skip);
      p.jumpIf(byte, "≠", ".".charCodeAt(0), other);
      p.add(at, 1, at);
    }
    p.place(other);
    p.release(at, byte);
  }
}

/** A list of numbers of 32 bits, descriptors say, in a program's memory. */
export class NumberList {
  readonly start: Address;
  readonly #most: number;
  /** The address behind the last one. */
  readonly end: Register;

  /** An empty one with room for `most`. */
  constructor(
    readonly p: Assembler,
    most: number,
  ) {
    this.start = p.zeroed(4 * most);
    this.#most = most;
    this.end = p.register();
    p.set(this.end, this.start);
  }

  /** Puts a number at the end; EMFILE ends the program where there is no room. */
  push(number: Register): void {
    const { p } = this;
    const room = p.label();
    p.jumpIf(this.end, "<", this.start.plus(4 * this.#most), room);
    p.fail(errnoOf("EMFILE"));
    p.place(room);
    p.store(this.end, number, 4);
    p.add(this.end, 4, this.end);
  }

  /** Takes the last number off; there must be one. */
  pop(into: Register): void {
    this.p.add(this.end, -4, this.end);
    this.p.load(this.end, 4, into);
  }
}
