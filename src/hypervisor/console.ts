/** A guest's console, of which the end is kept in a file. What is in it was written by the guest: it is escaped before anybody sees it. */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { escapeControls } from "../base/escape";
import { makePipe } from "../linux/pipe";

export const consoleName = "console.log";

/** What a log may hold, and what is kept of one that would hold more; bytes. */
const limits = { most: 1 << 20, kept: 64 << 10 };

/**
 * The log. This process alone writes it, from what the hypervisor gives it: so neither a guest nor a hypervisor that was taken over can
 * fill the host's disk with it.
 */
export class ConsoleLog {
  readonly path: string;
  /** Of what it comes by: both ends of a pipe have the same. */
  readonly inode: number;
  /** Fulfilled when nobody has the other end any more, and all that came is in the log. */
  readonly ended: Promise<void>;
  /** By its descriptor: the sandbox's directory may be given another name. */
  readonly #fd: number;
  readonly #limits: typeof limits;

  /**
   * Makes the file, or goes on with the one that is there.
   * @param from a pipe's reading end, or a connected socket, which it closes in the end
   * @throws what opening the file throws; `from` is the caller's then
   */
  constructor(directory: string, from: number, { most, kept } = limits) {
    this.path = join(directory, consoleName);
    this.#fd = openSync(this.path, "a+", 0o600);
    this.#limits = { most, kept };
    this.inode = fstatSync(from).ino;
    this.ended = this.#take(from);
  }

  async #take(from: number): Promise<void> {
    try {
      for await (const bytes of Bun.file(from).stream()) this.#write(bytes);
    } catch {
      // What came until then has to do.
    }
    closeSync(from);
    closeSync(this.#fd);
  }

  /** Appends; of what there was the end is kept. A full disk costs the log, not the machine. */
  #write(bytes: Uint8Array): void {
    const { most, kept } = this.#limits;
    try {
      if (fstatSync(this.#fd).size + bytes.length > most) {
        const end = readEnd(this.#fd, kept).toString("latin1");
        ftruncateSync(this.#fd, 0);
        writeSync(this.#fd, `[runv: the beginning was cut off]\n${end.slice(end.indexOf("\n") + 1)}`, null, "latin1");
      }
      writeSync(this.#fd, bytes);
    } catch {
      // The next words then.
    }
  }
}

/**
 * The log of what comes through a pipe, in which 64 KiB wait for a monitor that is busy. A socket holds 280 of a serial port's bytes.
 * @param flags of the pipe's ends: O_NONBLOCK where the hypervisor knows what to do when it is full
 * @returns it, and the pipe's writing end for the hypervisor, which the caller closes
 * @throws what opening the log throws
 */
export function pipedConsole(directory: string, flags = 0): { log: ConsoleLog; writing: number } {
  const [reading, writing] = makePipe(flags);
  try {
    return { log: new ConsoleLog(directory, reading), writing };
  } catch (error) {
    closeSync(reading);
    closeSync(writing);
    throw error;
  }
}

/**
 * Reads the end of a console's log.
 * @param lines how many lines at most
 * @returns its last lines, without control characters and carriage returns; none when there is no log
 */
export function consoleTail(path: string, lines = 20): string[] {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return [];
  }
  try {
    return escapeControls(
      readEnd(fd, 200 * lines)
        .toString("utf8")
        .replaceAll("\r", ""),
    )
      .split("\n")
      .map((line) => line.trimEnd())
      .filter((line) => line !== "")
      .slice(-lines);
  } finally {
    closeSync(fd);
  }
}

function readEnd(fd: number, most: number): Buffer {
  const { size } = fstatSync(fd);
  const buffer = Buffer.alloc(Math.min(size, most));
  return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, Math.max(0, size - most)));
}
