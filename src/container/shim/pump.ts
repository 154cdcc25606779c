/** The standard streams of a process in the guest, carried from and to descriptors of this process. */
import { read, write, writeSync } from "node:fs";
import type { GuestProcess } from "../../guest/process";
import { F_SETFL, O_NONBLOCK, O_RDWR } from "../../linux/constants";
import { syscall } from "../../linux/local";
import { stdinWindow } from "../../wire/frame";

/** Bytes of output that may be under way from the guest on each stream. */
export const outputCredit = 512 << 10;
const readSize = 32 << 10;

/**
 * Carries what can be read from a descriptor to the process's stdin, as fast as the process reads it. Reads and writes of
 * descriptors are done by the runtime's thread pool, since they may block: the descriptors are shared with others, so they
 * cannot be made non-blocking.
 */
export class InputPump {
  #credit: number;
  #reading = false;
  #ended = false;
  #finishing = false;
  /** While finishing: bytes at the end that are not the process's, and those of them that were read. */
  #ours = 0;
  #held: Uint8Array = new Uint8Array();

  /** @param window so many bytes may be sent at first */
  constructor(
    private readonly fd: number,
    private readonly process: GuestProcess,
    window = stdinWindow,
  ) {
    this.#credit = window;
  }

  start(): void {
    if (this.#reading || this.#ended || this.#credit === 0) return;
    this.#reading = true;
    const buffer = Buffer.allocUnsafe(Math.min(readSize, this.#credit));
    read(this.fd, buffer, 0, buffer.length, null, (error, length) => {
      this.#reading = false;
      if (this.#ended) return;
      if (this.#finishing && error?.code === "EAGAIN") {
        this.end();
        return;
      }
      if (error?.code === "EAGAIN" || error?.code === "EINTR") {
        setTimeout(() => this.start(), 10);
        return;
      }
      if (error !== null || length === 0) {
        this.end();
        return;
      }
      const bytes = this.#finishing ? this.#withoutOurs(buffer.subarray(0, length)) : buffer.subarray(0, length);
      this.#credit -= bytes.length;
      if (bytes.length > 0) this.process.write(bytes);
      this.start();
    });
  }

  /** The process has read so many bytes more. */
  grant(bytes: number): void {
    this.#credit += bytes;
    this.start();
  }

  /**
   * Carries what is in a FIFO now, and closes the process's stdin then. Others keep the FIFO open, so it has no end to be read; and a
   * read that waits has to be woken, by a byte of our own. It is the last one then, and not passed on.
   */
  finish(): void {
    if (this.#finishing || this.#ended) return;
    this.#finishing = true;
    syscall("fcntl", this.fd, F_SETFL, O_RDWR | O_NONBLOCK);
    if (!this.#reading) {
      this.start();
      return;
    }
    try {
      this.#ours = writeSync(this.fd, new Uint8Array(1));
    } catch {
      // It is full: the read has something to read.
    }
  }

  /** Holds the last bytes back, for they may be our own. */
  #withoutOurs(bytes: Uint8Array): Uint8Array {
    const all = Buffer.concat([this.#held, bytes]);
    const length = Math.max(0, all.length - this.#ours);
    this.#held = all.subarray(length);
    return all.subarray(0, length);
  }

  /** Reads no more, and closes the process's stdin. */
  end(): void {
    if (this.#ended) return;
    this.stop();
    this.process.end(0);
  }

  /** Reads no more. */
  stop(): void {
    this.#ended = true;
  }
}

/** Carries one output of the process to a descriptor, and grants the guest more as it is taken. */
export class OutputPump {
  #waiting: Uint8Array[] = [];
  /** How many bytes were taken and are not written yet. */
  #held = 0;
  #writing = false;
  #broken = false;
  #owed = 0;
  #idle: (() => void) | undefined;

  /** @param most so many bytes may be under way */
  constructor(
    private readonly fd: number,
    private readonly stream: number,
    private readonly process: GuestProcess,
    private readonly most = outputCredit,
  ) {}

  /** Takes bytes, which are good only now. A guest that sends more than it has credit for is heard no more. */
  push(bytes: Uint8Array): void {
    if (this.#broken) return;
    this.#held += bytes.length;
    if (this.#held > this.most) {
      this.stop();
      this.process.end(this.stream);
      return;
    }
    this.#waiting.push(bytes.slice());
    this.#next();
  }

  /** Fulfilled when all that was taken is written. */
  drained(): Promise<void> {
    if (!this.#writing) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Bytes that were written and not granted again. */
  get owed(): number {
    return this.#owed;
  }

  /** Grants what somebody else has written and not granted. */
  owe(bytes: number): void {
    this.#grant(bytes);
  }

  /** Writes no more. */
  stop(): void {
    this.#broken = true;
    this.#waiting = [];
  }

  #next(): void {
    if (this.#writing) return;
    const [first, ...rest] = this.#waiting;
    if (first === undefined) {
      this.#idle?.();
      return;
    }
    this.#waiting = [];
    this.#writing = true;
    this.#write(rest.length === 0 ? first : Buffer.concat([first, ...rest]), 0);
  }

  #write(bytes: Uint8Array, from: number): void {
    write(this.fd, bytes, from, bytes.length - from, null, (error, length) => {
      if (error?.code === "EAGAIN" || error?.code === "EINTR") {
        setTimeout(() => this.#write(bytes, from), 10);
      } else if (error !== null) {
        this.stop();
        this.process.end(this.stream);
        this.#done();
      } else if (from + length < bytes.length) {
        this.#write(bytes, from + length);
      } else {
        this.#held -= bytes.length;
        this.#grant(bytes.length);
        this.#done();
      }
    });
  }

  /** Grants what was taken, a quarter of the window at a time: each frame to the guest wakes it up. */
  #grant(bytes: number): void {
    this.#owed += bytes;
    if (this.#owed < outputCredit / 4) return;
    this.process.credit(this.stream, this.#owed);
    this.#owed = 0;
  }

  #done(): void {
    this.#writing = false;
    this.#next();
  }
}
