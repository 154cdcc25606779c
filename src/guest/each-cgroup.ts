/** The cgroups of a container: its own, and those that it has made below it. */
import { AT_FDCWD, AT_REMOVEDIR, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../linux/constants";
import type { Assembler, Label, Register } from "../program/assembler";
import { DirectoryReader, DT_DIR, NumberList } from "../program/directory";
import { raiseFileLimit } from "../program/files";
import { cgroupOf } from "./lower/cgroup";

/** How many a container may have before they are too many to be looked at. */
const most = 4096;
const directoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

/** All of a container's cgroups, opened: one is behind the one that it is in. */
export class CgroupTree {
  readonly #p: Assembler;
  readonly #reader: DirectoryReader;
  readonly #list: NumberList;

  /**
   * Opens them.
   * @param missing where to go on when the container has none
   */
  constructor(p: Assembler, id: string, missing?: Label) {
    this.#p = p;
    raiseFileLimit(p, most + 64);
    this.#reader = new DirectoryReader(p);
    this.#list = new NumberList(p, most);
    const path = [AT_FDCWD, p.text(cgroupOf(id)), directoryFlags] as const;
    const top = p.value("openat", path, missing === undefined ? {} : { accept: ["ENOENT"], otherwise: missing });
    this.#list.push(top);
    p.release(top);
    // The list grows while it is gone through.
    this.each((directory) => this.#open(directory));
  }

  /** Does something with the descriptor of each, which is at the directory's beginning. */
  each(body: (directory: Register) => void): void {
    const p = this.#p;
    const [next, end] = [p.label(), p.label()];
    const [at, directory] = [p.register(), p.register()];
    p.set(at, this.#list.start);
    p.place(next);
    p.jumpIf(at, "=", this.#list.end, end);
    p.load(at, 4, directory);
    body(directory);
    p.add(at, 4, at);
    p.jump(next);
    p.place(end);
    p.release(at, directory);
  }

  /** Removes those below the container's own; one that is in use stays, and so do those that it is in. */
  removeChildren(): void {
    const p = this.#p;
    const [next, end] = [p.label(), p.label()];
    const directory = p.register();
    p.place(next);
    p.jumpIf(this.#list.end, "=", this.#list.start, end);
    this.#list.pop(directory);
    p.syscall("lseek", [directory, 0, 0]);
    this.#eachChild(directory, (name) => {
      p.syscall("unlinkat", [directory, name, AT_REMOVEDIR], { accept: ["EBUSY", "ENOENT"] });
    });
    p.jump(next);
    p.place(end);
    p.release(directory);
  }

  #open(directory: Register): void {
    const p = this.#p;
    this.#eachChild(directory, (name) => {
      const gone = p.label();
      const child = p.value("openat", [directory, name, directoryFlags], { accept: ["ENOENT"], otherwise: gone });
      this.#list.push(child);
      p.place(gone);
      p.release(child);
    });
  }

  #eachChild(directory: Register, body: (name: Register) => void): void {
    const p = this.#p;
    this.#reader.each(directory, (name, type) => {
      const file = p.label();
      p.jumpIf(type, "≠", DT_DIR, file);
      body(name);
      p.place(file);
    });
  }
}
