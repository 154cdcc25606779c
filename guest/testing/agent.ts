/** The host's end of the guest protocol for tests of init: keeps what it says of each process. */
import { FrameDecoder } from "../../src/wire/decoder";
import { encodeFrame, type Frame, FrameType, maxFromGuest } from "../../src/wire/frame";
import { TestProcess } from "./process";

export interface Channel {
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
}

/** init, on the other end of a channel. */
export class TestAgent {
  readonly hello = Promise.withResolvers<Frame>();
  readonly ended = Promise.withResolvers<void>();
  readonly #decoder = new FrameDecoder(maxFromGuest);
  readonly #processes = new Map<number, TestProcess>();
  #unsent: Uint8Array[] = [];
  #channel: Channel | undefined;
  #handles = 0;

  /** The handlers for a socket of Bun. */
  readonly handlers = {
    data: (_: unknown, bytes: Uint8Array) => this.take(bytes),
    drain: () => this.#drain(),
    close: () => this.ended.resolve(),
    error: (_: unknown, error: Error) => this.ended.reject(error),
  };

  attach(channel: Channel): void {
    this.#channel = channel;
    this.#drain();
  }

  /** Reads nothing of what init says, until `listen`. */
  turnAway(): void {
    this.#channel?.pause();
  }

  listen(): void {
    this.#channel?.resume();
  }

  take(bytes: Uint8Array): void {
    this.#decoder.push(bytes, (view) => {
      const frame = { ...view, payload: new Uint8Array(view.payload) };
      if (frame.type === FrameType.hello) this.hello.resolve(frame);
      else this.#processes.get(frame.process)?.take(frame);
    });
  }

  send(type: number, process: number, payload?: Uint8Array, stream?: number): void {
    this.#unsent.push(encodeFrame(type, process, payload, stream));
    this.#drain();
  }

  /** Sends a program, or whatever else these bytes are. */
  run(program: { bytes: Uint8Array } | Uint8Array, handle = ++this.#handles): TestProcess {
    const process = new TestProcess(this, handle);
    this.#processes.set(handle, process);
    this.send(FrameType.run, handle, program instanceof Uint8Array ? program : program.bytes);
    return process;
  }

  #drain(): void {
    while (this.#channel !== undefined && this.#unsent.length > 0) {
      const bytes = this.#unsent[0]!;
      const sent = Math.max(0, this.#channel.write(bytes));
      if (sent < bytes.length) {
        this.#unsent[0] = bytes.subarray(sent);
        return;
      }
      this.#unsent.shift();
    }
  }
}
