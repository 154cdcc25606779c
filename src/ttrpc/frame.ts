/**
 * ttrpc's frames: a header of ten bytes, which are the payload's length and the call's stream (u32, big endian), the type and the flags;
 * then the payload. A client's streams are odd, and each carries one call.
 */

export const FrameType = { request: 1, response: 2, data: 3 } as const;

export const headerSize = 10;

/** What a payload has at most, as Go's ttrpc has it. */
export const mostPayload = 4 << 20;

export interface Frame {
  stream: number;
  type: number;
  payload: Uint8Array;
}

export interface FrameListener {
  frame(frame: Frame): void;
  /** A frame whose payload is longer than is taken: it is passed over. */
  tooLong(stream: number, length: number): void;
}

export function encodeFrame({ stream, type, payload }: Frame): Uint8Array {
  const bytes = new Uint8Array(headerSize + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length);
  view.setUint32(4, stream);
  view.setUint8(8, type);
  bytes.set(payload, headerSize);
  return bytes;
}

/** Frames out of the pieces in which they come. It holds no more than what has come of one payload. */
export class FrameDecoder {
  readonly #header = new Uint8Array(headerSize);
  #headerBytes = 0;
  /** What has come of the payload, at the beginning of it. */
  #payload = new Uint8Array();
  #payloadBytes = 0;
  /** How much of the payload is to come. */
  #missing = 0;
  /** The payload is passed over. */
  #skipping = false;

  constructor(private readonly listener: FrameListener) {}

  /** Takes bytes, which are good only now. */
  push(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0 || this.#isWhole) {
      if (this.#headerBytes < headerSize) {
        rest = this.#takeHeader(rest);
        continue;
      }
      const piece = rest.subarray(0, this.#missing);
      rest = rest.subarray(piece.length);
      this.#missing -= piece.length;
      if (!this.#skipping) this.#add(piece);
      if (this.#missing === 0) this.#finish();
    }
  }

  /** A frame is there that nothing is missing of. */
  get #isWhole(): boolean {
    return this.#headerBytes === headerSize && this.#missing === 0;
  }

  #takeHeader(bytes: Uint8Array): Uint8Array {
    const piece = bytes.subarray(0, headerSize - this.#headerBytes);
    this.#header.set(piece, this.#headerBytes);
    this.#headerBytes += piece.length;
    if (this.#headerBytes === headerSize) {
      this.#missing = this.#view.getUint32(0);
      this.#skipping = this.#missing > mostPayload;
      if (this.#skipping) this.listener.tooLong(this.#view.getUint32(4), this.#missing);
    }
    return bytes.subarray(piece.length);
  }

  /** Holds at most twice of what has come, whatever the header says. */
  #add(piece: Uint8Array): void {
    const length = this.#payloadBytes + piece.length;
    if (length > this.#payload.length) {
      const larger = new Uint8Array(this.#missing === 0 ? length : Math.max(length, 2 * this.#payload.length));
      larger.set(this.#payload.subarray(0, this.#payloadBytes));
      this.#payload = larger;
    }
    this.#payload.set(piece, this.#payloadBytes);
    this.#payloadBytes = length;
  }

  #finish(): void {
    const payload = this.#payload.subarray(0, this.#payloadBytes);
    const skipped = this.#skipping;
    this.#headerBytes = 0;
    this.#payload = new Uint8Array();
    this.#payloadBytes = 0;
    this.#skipping = false;
    const view = this.#view;
    if (!skipped) this.listener.frame({ stream: view.getUint32(4), type: view.getUint8(8), payload });
  }

  get #view(): DataView {
    return new DataView(this.#header.buffer);
  }
}
