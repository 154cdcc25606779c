/** A daemon's end of its conversation with a process's shim. The connection's end is how the daemon learns of the shim's. */

import { ShimType } from "../container/shim-messages";
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

  /** Connects to the shim that listens in a directory, which may have ended already. */
  constructor(directory: string, shim: Identity) {
    this.ended = this.#follow(controlSocket(directory), shim);
  }

  /** The process's stdin ends after what is in it now. */
  closeStdin(): void {
    this.#stream?.send(ShimType.closeStdin, 0);
  }

  resize(rows: number, columns: number): void {
    this.#stream?.send(ShimType.resize, 0, encodeU32(rows, columns));
  }

  signal(signal: number): void {
    this.#stream?.send(ShimType.signal, 0, encodeU32(signal));
  }

  async #follow(unix: string, shim: Identity): Promise<void> {
    while (isAlive(shim)) {
      const { promise: closed, resolve: close } = Promise.withResolvers<void>();
      try {
        this.#stream = await connectFrames({ unix }, maxToGuest, () => ({ frame: () => {}, close: () => close() }));
        await closed;
      } catch {
        // Nobody listens: it has ended just now.
      }
      this.#stream = undefined;
      if (isAlive(shim)) await Bun.sleep(retryMs);
    }
  }
}
