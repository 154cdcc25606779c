/** The caller's end of `--console-socket`: a socket that is sent a terminal's master, as containerd and conmon have it. */
import { closeSync, read, writeSync } from "node:fs";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, TIOCSWINSZ } from "../../src/linux/constants";
import { addressOf, syscall } from "../../src/linux/local";
import { termiosOf } from "../../src/linux/terminal";
import { until } from "./until";

const SOCK_NONBLOCK = 0o4000;

export class ConsoleSocket {
  readonly #socket: number;

  constructor(readonly path: string) {
    this.#socket = syscall("socket", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(`${path}\0`)]);
    syscall("bind", this.#socket, address, address.length);
    syscall("listen", this.#socket, 4);
  }

  /** The terminal that has been sent. */
  receive(): Terminal {
    const connection = syscall("accept4", this.#socket, 0, 0, SOCK_CLOEXEC);
    try {
      return new Terminal(receiveDescriptor(connection));
    } finally {
      closeSync(connection);
    }
  }

  close(): void {
    closeSync(this.#socket);
  }
}

/** A terminal's master side, with all that came from it. */
export class Terminal {
  /** What was read so far. */
  output = "";
  /** The other side has closed. */
  ended = false;

  constructor(readonly fd: number) {
    this.#read();
  }

  write(text: string): void {
    writeSync(this.fd, text);
  }

  /** Writes a line and waits until the answer to it has come. @param answer a pattern */
  async ask(line: string, answer: RegExp): Promise<RegExpExecArray> {
    const from = this.output.length;
    this.write(`${line}\n`);
    return await until(`${answer} in answer to ${JSON.stringify(line)}`, () => answer.exec(this.output.slice(from)));
  }

  /** Waits for a pattern. */
  async see(pattern: RegExp): Promise<void> {
    await until(`${pattern} on the terminal`, () => pattern.test(this.output)).catch((cause) => {
      throw new Error(`${pattern} does not come; there is ${JSON.stringify(this.output)}`, { cause });
    });
  }

  resize(rows: number, columns: number): void {
    syscall("ioctl", this.fd, TIOCSWINSZ, new Uint8Array(new Uint16Array([rows, columns, 0, 0]).buffer));
  }

  termios(): Uint8Array | undefined {
    return termiosOf(this.fd);
  }

  /** Closes it when the other side has. */
  async end(): Promise<void> {
    await until("the terminal's end", () => this.ended);
    closeSync(this.fd);
  }

  #read(): void {
    const buffer = Buffer.alloc(4096);
    read(this.fd, buffer, 0, buffer.length, null, (error, length) => {
      // EIO: nobody has the slave open any more.
      this.ended = error !== null || length === 0;
      if (this.ended) return;
      this.output += buffer.toString("utf8", 0, length);
      this.#read();
    });
  }
}

/** recvmsg(2) with room for one descriptor. */
function receiveDescriptor(socket: number): number {
  const data = new Uint8Array(256);
  const iovec = new Uint8Array(new BigUint64Array([BigInt(addressOf(data)), BigInt(data.length)]).buffer);
  const control = new Uint8Array(24);
  const message = new BigUint64Array([0n, 0n, BigInt(addressOf(iovec)), 1n, BigInt(addressOf(control)), 24n, 0n]);
  syscall("recvmsg", socket, new Uint8Array(message.buffer), 0);
  return new DataView(control.buffer).getInt32(16, true);
}
