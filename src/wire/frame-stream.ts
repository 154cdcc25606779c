import { RunvError } from "../base/error";
import { FrameDecoder } from "./decoder";
import { encodeFrame, type Frame } from "./frame";

/** What a frame stream writes to: a socket, or a driver's channel to the guest. */
export interface ByteChannel {
  /** Sends bytes. @returns how many were taken; a negative number means that the channel is broken */
  write(bytes: Uint8Array): number;
  /** Ends the channel once all that was taken is sent. */
  close(): void;
}

export interface FrameHandlers {
  /** A frame; its payload is good until the call returns. What it throws ends the stream. */
  frame(frame: Frame): void;
  /** The end, once: the peer closed; or it sent what is no frame, or takes nothing any more (then with the error). */
  close(error?: Error): void;
}

/** A peer that leaves so many bytes untaken is stuck, unless told: what credits allow is far less. */
const usualMost = 32 << 20;

/**
 * Frames over a duplex byte channel. What the peer does not take at once is kept and sent when it does; the senders'
 * credits bound how much that is, and where a peer makes nothing of them the stream ends. The channel's owner calls `take`, `drain` and `end`.
 */
export class FrameStream {
  readonly #decoder: FrameDecoder;
  readonly #handlers: FrameHandlers;
  readonly #mostUnsent: number;
  #channel: ByteChannel | undefined;
  #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  #held = false;
  #closing = false;
  #closed = false;

  /**
   * @param maxPayload most bytes that the peer may put into a frame
   * @param mostUnsent most bytes that may wait for the peer to take them
   */
  constructor(maxPayload: number, handlers: FrameHandlers, mostUnsent = usualMost) {
    this.#decoder = new FrameDecoder(maxPayload);
    this.#handlers = handlers;
    this.#mostUnsent = mostUnsent;
  }

  /** Gives the stream its channel. What was sent before goes out now. */
  attach(channel: ByteChannel): void {
    this.#channel = channel;
    this.drain();
  }

  /** Sends a frame. Nothing happens on a closed stream: `close` has told or will tell. */
  send(type: number, process: number, payload?: Uint8Array, stream?: number): void {
    if (this.#closed || this.#closing) return;
    const bytes = encodeFrame(type, process, payload, stream);
    const sent = this.#held || this.#unsent.length > 0 ? 0 : this.#write(bytes);
    if (sent === bytes.length) return;
    this.#unsent.push(bytes.subarray(sent));
    this.#unsentBytes += bytes.length - sent;
    if (this.#unsentBytes > this.#mostUnsent) this.#break(new RunvError("WIRE_STUCK", "the other side takes nothing"));
  }

  /** Keeps what is sent from now on, until `release`. */
  hold(): void {
    this.#held = true;
  }

  /** Sends what was kept. */
  release(): void {
    this.#held = false;
    this.drain();
  }

  /** Sends a frame about no process, with a payload in JSON. */
  sendJson(type: number, value: unknown): void {
    this.send(type, 0, Buffer.from(JSON.stringify(value)));
  }

  /** Closes once everything that was sent is on its way. */
  close(): void {
    this.#closing = true;
    if (this.#unsent.length === 0) this.#channel?.close();
  }

  /** Takes bytes of the peer. */
  take(chunk: Uint8Array): void {
    if (this.#closed) return;
    try {
      this.#decoder.push(chunk, (frame) => {
        if (!this.#closed) this.#handlers.frame(frame);
      });
    } catch (error) {
      this.#break(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Goes on sending: the channel takes bytes again. */
  drain(): void {
    if (this.#held) return;
    let index = 0;
    for (; index < this.#unsent.length; index++) {
      const bytes = this.#unsent[index]!;
      const sent = this.#write(bytes);
      this.#unsentBytes -= sent;
      if (sent === bytes.length) continue;
      this.#unsent[index] = bytes.subarray(sent);
      break;
    }
    this.#unsent.splice(0, index);
    if (this.#closing && this.#unsent.length === 0) this.#channel?.close();
  }

  /** Says that the channel has ended. */
  end(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsent = [];
    this.#unsentBytes = 0;
    this.#handlers.close(error);
  }

  #break(error: Error): void {
    this.end(error);
    this.#channel?.close();
  }

  #write(bytes: Uint8Array): number {
    return Math.max(0, this.#channel?.write(bytes) ?? 0);
  }
}

/** Reads a JSON payload; undefined when it is none. */
export function decodeJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("utf8"));
  } catch {
    return undefined;
  }
}
