/** A daemon's end of its conversation with a process's shim. The connection's end is how the daemon learns of the shim's. */

import { ShimType } from "../container/shim/shim-messages";
import { type Identity, isAlive } from "../linux/identity";
import { controlSocket } from "../sandbox/paths";
import { encodeU32, maxToGuest } from "../wire/frame";
import { connectFrames } from "../wire/frame-socket";
import type { FrameStream } from "../wire/frame-stream";

/** A shim that lives and does not answer is tried again after so long. */
const retryMs = 50;

export class ShimLink {
  /** Fulfilled when the shim has ended. */
  readonly ended: Promise<void>;
  #stream: FrameStream | undefined;
  /** What was said while there was no connection: it is sent when there is one. */
  #waiting: (readonly [type: number, payload: Uint8Array | undefined])[] = [];

  /** Connects to the shim that listens in a directory, which may have ended already. */
  constructor(directory: string, shim: Identity) {
    this.ended = this.#follow(controlSocket(directory), shim);
  }

  /** The process's stdin ends after what is in it now. */
  closeStdin(): void {
    this.#say(ShimType.closeStdin);
  }

  resize(rows: number, columns: number): void {
    this.#say(ShimType.resize, encodeU32(rows, columns));
  }

  signal(signal: number): void {
    this.#say(ShimType.signal, encodeU32(signal));
  }

  #say(type: number, payload?: Uint8Array): void {
    if (this.#stream === undefined) this.#waiting.push([type, payload]);
    else this.#stream.send(type, 0, payload);
  }

  async #follow(unix: string, shim: Identity): Promise<void> {
    while (isAlive(shim)) {
      const { promise: closed, resolve: close } = Promise.withResolvers<void>();
      try {
        this.#stream = await connectFrames({ unix }, maxToGuest, () => ({ frame: () => {}, close: () => close() }));
        for (const [type, payload] of this.#waiting.splice(0)) this.#say(type, payload);
        await closed;
      } catch {
        // Nobody listens: it has ended just now.
      }
      this.#stream = undefined;
      if (isAlive(shim)) await Bun.sleep(retryMs);
    }
  }
}
