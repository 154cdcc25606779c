/** The standard streams of a process in the guest, carried from and to descriptors of this process. */
import { read, write } from "node:fs";
import type { GuestProcess } from "../guest/process";
import { stdinWindow } from "../wire/frame";

/** Bytes of output that may be under way from the guest on each stream. */
export const outputCredit = 256 << 10;
const readSize = 32 << 10;

/**
 * Carries what can be read from a descriptor to the process's stdin, as fast as the process reads it. Reads and writes of
 * descriptors are done by the runtime's thread pool, since they may block: the descriptors are shared with others, so they
 * cannot be made non-blocking.
 */
export class InputPump {
  #credit = stdinWindow;
  #reading = false;
  #ended = false;

  constructor(
    private readonly fd: number,
    private readonly process: GuestProcess,
  ) {}

  start(): void {
    if (this.#reading || this.#ended || this.#credit === 0) return;
    this.#reading = true;
    const buffer = Buffer.allocUnsafe(Math.min(readSize, this.#credit));
    read(this.fd, buffer, 0, buffer.length, null, (error, length) => {
      this.#reading = false;
      if (this.#ended) return;
      if (error?.code === "EAGAIN" || error?.code === "EINTR") {
        setTimeout(() => this.start(), 10);
        return;
      }
      if (error !== null || length === 0) {
        this.end();
        return;
      }
      this.#credit -= length;
      this.process.write(buffer.subarray(0, length));
      this.start();
    });
  }

  /** The process has read so many bytes more. */
  grant(bytes: number): void {
    this.#credit += bytes;
    this.start();
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
  #writing = false;
  #broken = false;
  #idle: (() => void) | undefined;

  constructor(
    private readonly fd: number,
    private readonly stream: number,
    private readonly process: GuestProcess,
  ) {}

  /** Takes bytes, which are good only now. */
  push(bytes: Uint8Array): void {
    if (this.#broken) return;
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
        this.process.credit(this.stream, bytes.length);
        this.#done();
      }
    });
  }

  #done(): void {
    this.#writing = false;
    this.#next();
  }
}
