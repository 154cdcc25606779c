import { RunvError } from "../base/error";
import { type Frame, frameHeaderSize } from "./frame";

/**
 * Cuts a byte stream into frames. What it reads may come from a hostile guest: a frame that is too large or whose reserved
 * bytes are set raises WIRE_BAD_FRAME, after which the stream is of no more use.
 */
export class FrameDecoder {
  readonly #maxPayload: number;
  /** Bytes of an unfinished frame, and how many of them are there. */
  #partial: Uint8Array = new Uint8Array(4096);
  #length = 0;

  /** @param maxPayload most bytes that the peer may put into a frame */
  constructor(maxPayload: number) {
    this.#maxPayload = maxPayload;
  }

  /**
   * Takes the next bytes and hands each complete frame to `take`.
   * A payload is a view of `chunk` or of the decoder's own buffer: it is good until `take` returns.
   * @throws RunvError WIRE_BAD_FRAME
   */
  push(chunk: Uint8Array, take: (frame: Frame) => void): void {
    let at = 0;
    while (this.#length > 0 && at < chunk.length) {
      const wanted =
        this.#length < frameHeaderSize ? frameHeaderSize : frameHeaderSize + this.#payloadLength(this.#partial, 0);
      const taken = Math.min(wanted - this.#length, chunk.length - at);
      this.#keep(chunk.subarray(at, at + taken));
      at += taken;
      if (this.#length < frameHeaderSize) return;
      if (this.#length === frameHeaderSize + this.#payloadLength(this.#partial, 0)) {
        const size = this.#length;
        this.#length = 0;
        take(frameAt(this.#partial, 0, size - frameHeaderSize));
      }
    }
    while (chunk.length - at >= frameHeaderSize) {
      const length = this.#payloadLength(chunk, at);
      if (chunk.length - at < frameHeaderSize + length) break;
      take(frameAt(chunk, at, length));
      at += frameHeaderSize + length;
    }
    if (at < chunk.length) this.#keep(chunk.subarray(at));
  }

  #keep(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#partial.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#partial.length));
      larger.set(this.#partial.subarray(0, this.#length));
      this.#partial = larger;
    }
    this.#partial.set(bytes, this.#length);
    this.#length = needed;
  }

  #payloadLength(bytes: Uint8Array, at: number): number {
    const length = u32(bytes, at);
    if (length > this.#maxPayload) throw new RunvError("WIRE_BAD_FRAME", `a frame of ${length} bytes`);
    for (let i = 10; i < frameHeaderSize; i++) {
      if (bytes[at + i] !== 0) throw new RunvError("WIRE_BAD_FRAME", "a frame whose reserved bytes are set");
    }
    return length;
  }
}

function frameAt(bytes: Uint8Array, at: number, length: number): Frame {
  return {
    process: u32(bytes, at + 4),
    type: bytes[at + 8]!,
    stream: bytes[at + 9]!,
    payload: bytes.subarray(at + frameHeaderSize, at + frameHeaderSize + length),
  };
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
