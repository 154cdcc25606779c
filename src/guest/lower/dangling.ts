/**
 * Destinations that a link of the image leads to, which leads to nothing yet: /etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf.
 * As runc, what it leads to is made, inside the root. Where links lead is known to the guest only, so this is code that walks a path as
 * it runs; a program has it once, at its end, whatever the count of its mounts.
 */
import { O_CLOEXEC, O_CREAT, O_DIRECTORY, O_PATH, O_RDONLY } from "../../linux/constants";
import { errnoOf } from "../../linux/errno";
import type { Address, Assembler, Label, Operand, Register } from "../../program/assembler";
import { howSize, openHow } from "./open-how";

/** PATH_MAX (limits.h), which is also the longest link, and as many links as the kernel follows (path_resolution(7)). */
const [mostPath, mostLinks] = [4096, 40];
const [slash, zero] = ["/".charCodeAt(0), 0];

type Registers = readonly [Register, Register, Register, Register, Register, Register, Register];

const walkers = new WeakMap<Assembler, Walker>();

/**
 * Opens a path below `root`, and makes what is missing of it.
 * @param file whether it is to be a file, or else a directory
 * @param into where the descriptor goes
 */
export function makeInRoot(p: Assembler, root: Register, path: string, file: boolean, into: Register): void {
  let walker = walkers.get(p);
  if (walker === undefined) {
    walker = new Walker(p);
    walkers.set(p, walker);
  }
  walker.call(root, path, file, into);
}

class Walker {
  readonly #start: Label;
  readonly #callers: Label[] = [];
  readonly #root: Register;
  readonly #from: Register;
  readonly #isFile: Register;
  readonly #caller: Register;
  /** The directory that was reached. */
  readonly #reached: Register;

  // Who calls holds registers of its own: those of the walk are nobody else's from the first call on.
  readonly #temporary: Registers;
  readonly #character: Register;
  readonly #source: Register;
  readonly #copied: Register;

  constructor(private readonly p: Assembler) {
    const register = () => p.register();
    this.#temporary = [register(), register(), register(), register(), register(), register(), register()];
    this.#character = p.register();
    this.#source = p.register();
    this.#copied = p.register();
    this.#start = p.label();
    this.#root = p.register();
    this.#from = p.register();
    this.#isFile = p.register();
    this.#caller = p.register();
    this.#reached = p.register();
    p.atEnd(() => this.#emit());
  }

  call(root: Register, path: string, file: boolean, into: Register): void {
    const p = this.p;
    const back = p.label();
    p.set(this.#root, root);
    p.set(this.#from, p.text(path));
    p.set(this.#isFile, file ? 1 : 0);
    p.set(this.#caller, this.#callers.length);
    p.jump(this.#start);
    p.place(back);
    p.set(into, this.#reached);
    this.#callers.push(back);
  }

  #emit(): void {
    const p = this.p;
    p.doing("make what a link of the root file system leads to");
    const [path, next, link] = [p.zeroed(6 * mostPath), p.zeroed(6 * mostPath), p.zeroed(mostPath + 8)];
    const [at, name, byte, end, links, found, out] = this.#temporary;
    const [restart, component, opened, missing, plain, directory, reached] = Array.from({ length: 7 }, () =>
      p.label(),
    ) as [Label, Label, Label, Label, Label, Label, Label];
    const open = (flags: number, mode = 0) => [this.#root, path, openHow(p, flags | O_CLOEXEC, mode), howSize] as const;
    p.place(this.#start);
    p.set(links, mostLinks);
    this.#copy(path, this.#from, out, byte);
    p.place(restart);
    p.syscall("openat2", [this.#root, p.text("/"), openHow(p, O_PATH | O_DIRECTORY | O_CLOEXEC, 0), howSize], {
      into: this.#reached,
    });
    p.set(at, path);
    p.place(component);
    this.#scan(at, byte, true);
    p.jumpIf(byte, "=", zero, reached);
    p.set(name, at);
    this.#scan(at, byte, false);
    p.set(end, at);
    p.store(end, 0, 1);
    p.syscall("openat2", open(O_PATH), { into: found, accept: ["ENOENT"], otherwise: missing });
    p.place(opened);
    p.syscall("close", [this.#reached]);
    p.set(this.#reached, found);
    p.jumpIf(byte, "=", zero, reached);
    p.store(end, slash, 1);
    p.jump(component);

    p.place(missing);
    const read = [this.#reached, name, link, mostPath] as const;
    p.syscall("readlinkat", read, { into: found, accept: ["EINVAL", "ENOENT"], otherwise: plain });
    this.#follow({ path, next, link, name, byte, end, links, length: found, out, restart });

    p.place(plain);
    p.jumpIf(this.#isFile, "=", 0, directory);
    p.jumpIf(byte, "≠", zero, directory);
    p.syscall("openat2", open(O_RDONLY | O_CREAT, 0o644), { into: found });
    p.jump(opened);
    p.place(directory);
    p.syscall("mkdirat", [this.#reached, name, 0o755], { accept: ["EEXIST"] });
    p.syscall("openat2", open(O_PATH | O_DIRECTORY), { into: found });
    p.jump(opened);

    p.place(reached);
    for (const [index, back] of this.#callers.entries()) p.jumpIf(this.#caller, "=", index, back);
  }

  /** Puts a link's target in its place in the path: what is before the name unless it is absolute, and what comes behind it. */
  #follow(state: {
    path: Address;
    next: Address;
    link: Address;
    name: Register;
    byte: Register;
    end: Register;
    links: Register;
    length: Register;
    out: Register;
    restart: Label;
  }): void {
    const { path, next, link, name, byte, end, links, length, out, restart } = state;
    const p = this.p;
    const [more, absolute, whole, fits, copying] = [p.label(), p.label(), p.label(), p.label(), p.label()];
    const [character, from] = [this.#character, this.#source];
    p.add(links, -1, links);
    p.jumpIf(links, "≠", 0, more);
    p.fail(errnoOf("ELOOP"));
    p.place(more);
    p.add(length, link, length);
    p.store(length, 0, 1);
    p.set(out, next);
    p.load(link, 1, character);
    p.jumpIf(character, "=", slash, absolute);
    p.set(from, path);
    p.place(copying);
    p.jumpIf(from, "=", name, absolute);
    p.load(from, 1, character);
    p.store(out, character, 1);
    p.add(from, 1, from);
    p.add(out, 1, out);
    p.jump(copying);
    p.place(absolute);
    this.#copy(out, link, out, character);
    p.jumpIf(byte, "=", zero, whole);
    p.store(out, slash, 1);
    p.add(out, 1, out);
    p.add(end, 1, from);
    this.#copy(out, from, out, character);
    p.place(whole);
    p.jumpIf(out, "<", next.plus(mostPath), fits);
    p.fail(errnoOf("ENAMETOOLONG"));
    p.place(fits);
    this.#copy(path, next, out, character);
    p.syscall("close", [this.#reached]);
    p.jump(restart);
  }

  /** Copies a string. @param out is where its zero byte is, afterwards */
  #copy(to: Operand, from: Operand, out: Register, character: Register): void {
    const p = this.p;
    const [again, done] = [p.label(), p.label()];
    const at = this.#copied;
    p.set(at, from);
    p.set(out, to);
    p.place(again);
    p.load(at, 1, character);
    p.store(out, character, 1);
    p.jumpIf(character, "=", zero, done);
    p.add(at, 1, at);
    p.add(out, 1, out);
    p.jump(again);
    p.place(done);
  }

  /** Goes on to the end of slashes, or of what is no slash. @param byte what is there then */
  #scan(at: Register, byte: Register, slashes: boolean): void {
    const p = this.p;
    const [again, done] = [p.label(), p.label()];
    p.place(again);
    p.load(at, 1, byte);
    if (!slashes) p.jumpIf(byte, "=", zero, done);
    p.jumpIf(byte, slashes ? "≠" : "=", slash, done);
    p.add(at, 1, at);
    p.jump(again);
    p.place(done);
  }
}
