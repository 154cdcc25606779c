/** The FIFOs of a process's standard streams, as Docker has them: made in the bundle, stdin open both ways. */
import { closeSync, existsSync, mkdtempSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { AT_FDCWD, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR, S_IFIFO } from "../../../src/linux/constants";
import { syscall } from "../../../src/linux/local";
import { until } from "../../support/until";

export class Fifos {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  /** What was read so far. */
  output = "";
  errors = "";
  #open: number[] = [];

  /** @param made how many there are; what is not made has a name all the same */
  constructor(directory: string, name = "", made = 3) {
    const place = name === "" ? mkdtempSync(join(directory, "fifos-")) : directory;
    const prefix = name === "" ? "" : `${name}-`;
    [this.stdin, this.stdout, this.stderr] = ["stdin", "stdout", "stderr"].map((stream, index) => {
      const path = join(place, `${prefix}${stream}`);
      if (index < made && !existsSync(path)) syscall("mknodat", AT_FDCWD, path, S_IFIFO | 0o700, 0);
      return path;
    }) as [string, string, string];
  }

  get paths() {
    const { stdin, stdout, stderr } = this;
    return { stdin, stdout, stderr };
  }

  /** Opens them, and reads what comes. */
  open(): this {
    this.#open = [
      openSync(this.stdin, O_RDWR | O_CLOEXEC),
      ...[this.stdout, this.stderr].filter(existsSync).map((path) => openSync(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)),
    ];
    const [, stdout, stderr] = this.#open as [number, number, number?];
    void this.#read(stdout, (text) => {
      this.output += text;
    });
    if (stderr === undefined) return this;
    void this.#read(stderr, (text) => {
      this.errors += text;
    });
    return this;
  }

  write(text: string): void {
    writeSync(this.#open[0]!, text);
  }

  /** Waits for a pattern in the output. */
  async see(pattern: RegExp): Promise<RegExpExecArray> {
    return await until(`${pattern} in the output`, () => pattern.exec(this.output), 60_000).catch((cause) => {
      throw new Error(`${pattern} does not come; there is ${JSON.stringify(this.output)}`, { cause });
    });
  }

  /** Closes them, as a client that dies. */
  close(): void {
    for (const fd of this.#open) closeSync(fd);
    this.#open = [];
  }

  /** Looks for what comes, until they are closed: a stream of Bun's would read on from whatever gets the descriptor's number then. */
  async #read(fd: number, take: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    const buffer = Buffer.alloc(1 << 16);
    const open = this.#open;
    while (this.#open === open) {
      const length = readAvailable(fd, buffer);
      if (length > 0) take(decoder.decode(buffer.subarray(0, length), { stream: true }));
      else await Bun.sleep(5);
    }
  }
}

/** @returns how many bytes were read; 0 when there are none now, or nobody who writes */
function readAvailable(fd: number, buffer: Buffer): number {
  try {
    return readSync(fd, buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
    throw error;
  }
}
