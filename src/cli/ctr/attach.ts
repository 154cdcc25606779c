/**
 * Connects the client's standard streams to those of a process: FIFOs in a directory of its own, which the process's shim opens. The
 * shim is their only writer, so its end is the end of the output.
 */
import { closeSync, mkdtempSync, openSync, read, rmSync, write } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeAll } from "../../base/output";
import { now } from "../../base/time";
import type { ApiClient, EventsReader } from "../../containerd/client";
import { AT_FDCWD, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR, S_IFIFO } from "../../linux/constants";
import { syscall } from "../../linux/local";
import { rawTermios, setTermios, termiosOf, windowSizeOf } from "../../linux/terminal";
import { toTimestamp } from "../../protobuf/timestamp";

interface Stdio {
  stdin: string;
  stdout: string;
  stderr: string;
}

const chunk = 32 << 10;
/** How long a client waits before it looks again for a daemon that has gone. */
const retryMs = 200;

export class Attachment {
  readonly #directory = mkdtempSync(join(tmpdir(), "ctr-"));

  constructor(
    private readonly client: ApiClient,
    private readonly id: string,
    private readonly pid: string,
    private readonly options: { attach: boolean; terminal: boolean },
  ) {}

  /**
   * Starts a process and, if that is wanted, stays with it to its end.
   * @param begin makes the call that starts it
   * @returns the exit code: the process's, or 0 when it is left to itself
   */
  async around(begin: (stdio: Stdio) => Promise<void>): Promise<number> {
    const path = (name: string) => join(this.#directory, name);
    try {
      if (!this.options.attach) {
        // Nobody will read what it says, so it must not wait for that. Its stdin stays open.
        makeFifo(path("stdin"));
        await begin({ stdin: path("stdin"), stdout: "", stderr: "" });
        return 0;
      }
      // A terminal has one output.
      const stderr = this.options.terminal ? "" : path("stderr");
      const stdio = { stdin: path("stdin"), stdout: path("stdout"), stderr };
      for (const fifo of Object.values(stdio)) if (fifo !== "") makeFifo(fifo);
      return await this.#attached(stdio, begin);
    } finally {
      rmSync(this.#directory, { recursive: true, force: true });
    }
  }

  async #attached(stdio: Stdio, begin: (stdio: Stdio) => Promise<void>): Promise<number> {
    // Before the process begins: a FIFO keeps what is in it as long as somebody has it open.
    const outputs = [stdio.stdout, stdio.stderr]
      .filter((path) => path !== "")
      .map((path) => openSync(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    const stdin = openSync(stdio.stdin, O_RDWR | O_CLOEXEC);
    const since = now();
    await begin(stdio);
    const before = this.options.terminal ? termiosOf(0) : undefined;
    if (before !== undefined) setTermios(0, rawTermios(before));
    try {
      if (this.options.terminal) this.#followSize();
      this.#copyInput(stdin);
      const copied = outputs.map((fd, index) => copyOutput(fd, index + 1));
      const [status] = await Promise.all([this.#exit(since), ...copied]);
      return status;
    } finally {
      if (before !== undefined) setTermios(0, before);
    }
  }

  /** Waits for the process's end, beyond that of the daemon. */
  async #exit(from: bigint): Promise<number> {
    let since = toTimestamp(from);
    for (;;) {
      const events: EventsReader = this.client.events({ timestamp: since, id: this.id });
      try {
        for await (const { type, pid, status, timestamp } of events) {
          if (type === "exit" && pid === this.pid) return status;
          since = timestamp ?? since;
        }
      } catch {
        // The daemon has gone; its containers have not.
      } finally {
        events.cancel();
      }
      await Bun.sleep(retryMs);
    }
  }

  #copyInput(to: number): void {
    const buffer = Buffer.alloc(chunk);
    read(0, buffer, 0, chunk, null, (error, length) => {
      if (error?.code === "EAGAIN") setTimeout(() => this.#copyInput(to), 10);
      else if (error !== null || length === 0) this.#update({ closeStdin: true });
      else writeWhole(to, buffer.subarray(0, length), () => this.#copyInput(to));
    });
  }

  #followSize(): void {
    const resize = () => {
      const size = windowSizeOf(0);
      if (size !== undefined) this.#update({ width: size.columns, height: size.rows });
    };
    resize();
    process.on("SIGWINCH", resize);
  }

  /** The process may have ended already: then there is nothing to change. */
  #update(change: { closeStdin: boolean } | { width: number; height: number }): void {
    this.client.call("UpdateProcess", { id: this.id, pid: this.pid, ...change }).catch(() => {});
  }
}

function makeFifo(path: string): void {
  syscall("mknodat", AT_FDCWD, path, S_IFIFO | 0o700, 0);
}

/** Copies all that comes. The other end is open now, so that there is no end before there is one. */
async function copyOutput(from: number, to: number): Promise<void> {
  for await (const bytes of Bun.file(from).stream()) writeAll(to, bytes);
  closeSync(from);
}

function writeWhole(fd: number, bytes: Uint8Array, done: () => void): void {
  write(fd, bytes, 0, bytes.length, null, (error, length) => {
    if (error !== null) return;
    if (length === bytes.length) done();
    else writeWhole(fd, bytes.subarray(length), done);
  });
}
