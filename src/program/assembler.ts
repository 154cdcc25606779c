/**
 * Writes programs of system calls for the guest's init (`docs/guest-protocol.md`).
 *
 *     const p = new Assembler();
 *     p.doing("mount tmpfs on /dev/shm");
 *     const fs = p.value("fsopen", [p.text("tmpfs"), FSOPEN_CLOEXEC]);
 *     ...
 *     const program = p.assemble({ flags: CLONE_NEWNS });
 */
import { type ErrnoName, errnoOf } from "../linux/errno";
import { type SyscallName, syscallNumber } from "../linux/syscalls";
import {
  anyErrno,
  Comparison,
  headSize,
  instructionSize,
  Kind,
  maxMemory,
  maxProgram,
  noRegister,
  Op,
} from "./instruction";
import { type Note, Program, type ProgramHead } from "./program";

/** One of the 255 registers of a program. */
export class Register {
  constructor(readonly index: number) {}
}

/** A place in the program's memory; `zeroed` memory lies behind the data. */
export class Address {
  constructor(
    readonly offset: number,
    readonly zeroed: boolean,
  ) {}

  /** The place `bytes` further on. */
  plus(bytes: number): Address {
    return new Address(this.offset + bytes, this.zeroed);
  }
}

/** The pidfd of the process that the host knows by this handle. */
export class Pidfd {
  constructor(readonly handle: number) {}
}

/** A place in the code, to jump to. */
export class Label {
  index: number | undefined;
}

export type Operand = number | bigint | Register | Address | Pidfd;

export interface SyscallOptions {
  /** Where the result goes. */
  into?: Register;
  /** Errors that do not end the program. */
  accept?: readonly ErrnoName[] | "any";
  /** Where to go on after an accepted error; by default the next instruction. The result register then holds −errno. */
  otherwise?: Label;
}

interface Instruction {
  op: number;
  into: number;
  args: readonly Operand[];
  number: number;
  target: Label | undefined;
  accept: readonly number[];
}

export class Assembler {
  readonly #instructions: Instruction[] = [];
  readonly #notes: Note[] = [];
  readonly #free: Register[] = [];
  readonly #texts = new Map<string, Address>();
  readonly #data: { offset: number; bytes: Uint8Array }[] = [];
  readonly #relocations: { at: Address; target: Address }[] = [];
  readonly #atEnd: (() => void)[] = [];
  #registers = 0;
  #dataSize = 0;
  #zeroedSize = 0;
  #note: Note = { doing: "run a program in the guest" };

  /** Says what the instructions from here on are for: the text of the error when one of them fails. */
  doing(what: string, options: Omit<Note, "doing"> = {}): void {
    this.#note = { doing: what, ...options };
  }

  /** How many instructions there are so far. */
  get length(): number {
    return this.#instructions.length;
  }

  /** Takes a register. Give it back with `release` where a program needs many. */
  register(): Register {
    const register = this.#free.pop() ?? new Register(this.#registers++);
    if (register.index >= noRegister) throw new Error("a program has at most 255 registers");
    return register;
  }

  release(...registers: Register[]): void {
    this.#free.push(...registers);
  }

  /** Puts bytes into the program's data. @returns where; aligned to 8 bytes */
  bytes(bytes: Uint8Array): Address {
    const offset = this.#dataSize;
    this.#data.push({ offset, bytes });
    this.#dataSize += align(bytes.length);
    return new Address(offset, false);
  }

  /** Puts a C string into the data, once. A text with a zero byte is a defect of the caller and throws. */
  text(text: string): Address {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (text.includes("\0")) throw new Error(`a string with a zero byte: ${JSON.stringify(text)}`);
    const address = this.bytes(Buffer.from(`${text}\0`, "utf8"));
    this.#texts.set(text, address);
    return address;
  }

  /** Reserves zeroed memory, aligned to 8 bytes. */
  zeroed(size: number): Address {
    const address = new Address(this.#zeroedSize, true);
    this.#zeroedSize += align(size);
    return address;
  }

  /** A null-terminated table of pointers to C strings, as argv and envp are. */
  vector(texts: readonly string[]): Address {
    const table = this.bytes(new Uint8Array(8 * (texts.length + 1)));
    for (const [index, text] of texts.entries()) this.pointer(table.plus(8 * index), this.text(text));
    return table;
  }

  /** Has the eight bytes at `at`, which is in the data, hold the address of `target` when the program runs. */
  pointer(at: Address, target: Address): void {
    this.#relocations.push({ at, target });
  }

  label(): Label {
    return new Label();
  }

  /** Sets a label here. */
  place(label: Label): void {
    label.index = this.#instructions.length;
  }

  /** Makes a system call whose result is not needed (or goes `into` a register that the caller has). */
  syscall(name: SyscallName, args: readonly Operand[], options: SyscallOptions = {}): void {
    const { accept: errors, into, otherwise } = options;
    const accept = errors === undefined ? none : errors === "any" ? anyOf : errors.map(errnoOf);
    if (accept.length > 4) throw new Error("an instruction accepts at most four errnos");
    const target = otherwise ?? (accept.length > 0 ? this.#next(1) : undefined);
    this.#emit(Op.syscall, args, into, syscallNumber(name), target, accept);
  }

  /** Makes a system call. @returns a new register with its result */
  value(name: SyscallName, args: readonly Operand[], options: Omit<SyscallOptions, "into"> = {}): Register {
    const into = this.register();
    this.syscall(name, args, { ...options, into });
    return into;
  }

  /** Goes on at `label`. */
  jump(label: Label): void {
    this.#emit(Op.jump, [0, 0], undefined, Comparison.always, label);
  }

  /** Goes on at `label` if the comparison, signed, holds. */
  jumpIf(left: Operand, comparison: Comparison, right: Operand, label: Label): void {
    this.#emit(Op.jump, [left, right], undefined, Comparison[comparison], label);
  }

  /** Writes a number of `size` bytes into memory. */
  store(at: Address | Register, value: Operand, size: 1 | 2 | 4 | 8): void {
    this.#emit(Op.store, [at, value, size]);
  }

  /** Reads an unsigned number of `size` bytes from memory. */
  load(at: Address | Register, size: 1 | 2 | 4 | 8, into: Register = this.register()): Register {
    this.#emit(Op.load, [at, size], into);
    return into;
  }

  /** Sets a register. */
  set(register: Register, value: Operand): void {
    this.#emit(Op.add, [value, 0], register);
  }

  add(left: Operand, right: Operand, into: Register = this.register()): Register {
    this.#emit(Op.add, [left, right], into);
    return into;
  }

  /**
   * Has a child, which was cloned with CLONE_PARENT and goes on with the program, take the place of the process, which ends: the guest tells of the child
   * what it would have told of the process.
   */
  succeed(child: Operand): void {
    this.#emit(Op.succeed, [child]);
  }

  /** Writes a number in decimal, and a zero byte, into memory. @returns a register with the count of digits */
  decimal(at: Address, value: Operand): Register {
    const into = this.register();
    this.#emit(Op.decimal, [at, value], into);
    return into;
  }

  /** Waits until the host says GO. */
  stop(): void {
    this.#emit(Op.stop, []);
  }

  /** Hands a terminal's master to init, which then serves the process's stdin and stdout with it. */
  give(fd: Operand): void {
    this.#emit(Op.give, [fd]);
  }

  /** Sends memory to the host, as part of the program's answer. */
  output(at: Address, size: Operand): void {
    this.#emit(Op.output, [at, size]);
  }

  /** Ends the program with an error. */
  fail(errno: Operand): void {
    this.#emit(Op.fail, [errno]);
  }

  /** Writes code behind all other, which is reached by jumps only. */
  atEnd(write: () => void): void {
    this.#atEnd.push(write);
  }

  /** Ends the program. */
  end(): void {
    this.#emit(Op.end, []);
  }

  /**
   * Makes the program.
   * @throws Error when it is larger than the guest takes, or a label was never placed: a defect of the caller
   */
  assemble(head: ProgramHead = {}): Program {
    if (this.#atEnd.length > 0) this.end();
    for (const write of this.#atEnd.splice(0)) write();
    const count = this.#instructions.length;
    const memory = align16(this.#dataSize);
    const size = headSize + count * instructionSize + this.#relocations.length * 8 + memory;
    if (size > maxProgram || memory + this.#zeroedSize > maxMemory) throw new Error(`a program of ${size} bytes`);
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(head.flags ?? 0), true);
    view.setUint32(8, head.join ?? 0, true);
    view.setUint32(12, head.stdio ?? 0, true);
    view.setUint32(16, head.credit ?? 0, true);
    view.setUint32(20, count, true);
    view.setUint32(24, this.#relocations.length, true);
    view.setUint32(28, memory, true);
    view.setUint32(32, align16(this.#zeroedSize), true);
    let at = headSize;
    const words = new Int32Array(bytes.buffer);
    for (const instruction of this.#instructions) {
      encode(bytes, words, at, instruction, memory);
      at += instructionSize;
    }
    for (const { at: place, target } of this.#relocations) {
      view.setUint32(at, resolve(place, memory), true);
      view.setUint32(at + 4, resolve(target, memory), true);
      at += 8;
    }
    for (const { offset, bytes: piece } of this.#data) bytes.set(piece, at + offset);
    return new Program(
      bytes,
      this.#notes,
      this.#instructions.findLastIndex(({ op }) => op === Op.stop),
    );
  }

  #next(distance: number): Label {
    const label = new Label();
    label.index = this.#instructions.length + distance;
    return label;
  }

  #emit(
    op: number,
    args: readonly Operand[],
    into?: Register,
    number = 0,
    target?: Label,
    accept: readonly number[] = none,
  ): void {
    if (args.length > 6) throw new Error("an instruction has at most six arguments");
    this.#instructions.push({ op, into: into?.index ?? noRegister, args, number, target, accept });
    this.#notes.push(this.#note);
  }
}

const none: readonly number[] = [];
const anyOf: readonly number[] = [anyErrno];

/**
 * Writes an instruction into zeroed bytes, which are little-endian as both architectures are. A container's program has a thousand, and is written once: what
 * is written here is run as it stands, and every call out of it counts.
 */
function encode(bytes: Uint8Array, words: Int32Array, at: number, instruction: Instruction, memory: number): void {
  const { op, into, args, number, target, accept } = instruction;
  bytes[at] = op;
  bytes[at + 1] = into;
  let second = number;
  if (target !== undefined) {
    if (target.index === undefined) throw new Error("a label that was never placed");
    second |= target.index << 16;
  }
  words[(at + 8) >> 2] = second;
  for (let index = 0; index < accept.length; index++) bytes[at + 12 + index] = accept[index]!;
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!;
    const place = (at + 16 + 8 * index) >> 2;
    if (typeof arg === "number") {
      words[place] = arg;
      words[place + 1] = Math.floor(arg / 2 ** 32);
    } else if (typeof arg === "bigint") {
      words[place] = Number(BigInt.asIntN(32, arg));
      words[place + 1] = Number(BigInt.asIntN(32, arg >> 32n));
    } else if (arg instanceof Register) {
      bytes[at + 2 + index] = Kind.register;
      words[place] = arg.index;
    } else if (arg instanceof Address) {
      bytes[at + 2 + index] = Kind.address;
      words[place] = resolve(arg, memory);
    } else {
      bytes[at + 2 + index] = Kind.pidfd;
      words[place] = arg.handle;
    }
  }
}

/** Where a place is in the program's memory, of which the data takes the first `memory` bytes. */
function resolve({ offset, zeroed }: Address, memory: number): number {
  return zeroed ? memory + offset : offset;
}

const align = (size: number): number => (size + 7) & ~7;
const align16 = (size: number): number => (size + 15) & ~15;
