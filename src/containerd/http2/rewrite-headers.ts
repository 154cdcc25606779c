/** Changes the headers in what one end of an HTTP/2 connection sends (RFC 9113); all else passes as it is. */
import { encodePlainly, type Field, HpackDecoder } from "./hpack";

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const headerLength = 9;
/** As long as nobody says otherwise, SETTINGS_MAX_FRAME_SIZE is this. */
const maxPayload = 16_384;
/** Clients' headers have some hundred bytes. */
const maxBlock = 65_536;
/** In so many frames they come at most; one is enough. */
const maxParts = 64;
const priorityLength = 5;

const HEADERS = 1;
const CONTINUATION = 9;
const END_HEADERS = 0x4;
const PADDED = 0x8;
const PRIORITY = 0x20;

/** A block of headers that has not come whole. */
interface Block {
  stream: number;
  flags: number;
  priority: Buffer;
  parts: Buffer[];
  /** Of all parts, in bytes. */
  length: number;
}

export class HeaderRewriter {
  readonly #decoder = new HpackDecoder();
  #pending: Buffer = Buffer.alloc(0);
  #sawPreface = false;
  /** How much is to come of a frame that passes. */
  #passing = 0;
  #block: Block | undefined;

  /** @param change what the headers of a request, or its trailers, become */
  constructor(private readonly change: (fields: Field[]) => Field[]) {}

  /** What is to be sent on for a piece of the client's bytes. @throws Error when they are not HTTP/2: the connection is to end */
  take(chunk: Buffer): Buffer {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const out: Buffer[] = [];
    for (let part = this.#next(); part !== undefined; part = this.#next()) out.push(...part);
    return Buffer.concat(out);
  }

  /** Takes what is whole; undefined when more has to come. */
  #next(): Buffer[] | undefined {
    if (!this.#sawPreface) {
      if (this.#pending.length < preface.length) return undefined;
      const start = this.#cut(preface.length);
      if (start.toString("latin1") !== preface) throw new Error("a client that does not speak HTTP/2");
      this.#sawPreface = true;
      return [start];
    }
    if (this.#passing > 0) {
      if (this.#pending.length === 0) return undefined;
      const piece = this.#cut(Math.min(this.#passing, this.#pending.length));
      this.#passing -= piece.length;
      return [piece];
    }
    if (this.#pending.length < headerLength) return undefined;
    const length = this.#pending.readUIntBE(0, 3);
    const [type, flags] = [this.#pending[3]!, this.#pending[4]!];
    const stream = this.#pending.readUInt32BE(5) & 0x7fff_ffff;
    if (this.#block !== undefined && (type !== CONTINUATION || stream !== this.#block.stream)) {
      throw new Error("a frame between headers and their continuation");
    }
    if (type !== HEADERS && type !== CONTINUATION) {
      this.#passing = length;
      return [this.#cut(headerLength)];
    }
    if (length > maxPayload) throw new Error(`a frame of ${length} bytes`);
    if (this.#pending.length < headerLength + length) return undefined;
    this.#cut(headerLength);
    const payload = this.#cut(length);
    if (type === HEADERS) this.#block = beginning(stream, flags, payload);
    else if (this.#block === undefined) throw new Error("a continuation of nothing");
    else {
      this.#block.parts.push(payload);
      this.#block.length += payload.length;
    }
    if (this.#block.length > maxBlock || this.#block.parts.length > maxParts)
      throw new Error("headers that are too long");
    return flags & END_HEADERS ? this.#whole(this.#block) : [];
  }

  #whole(block: Block): Buffer[] {
    this.#block = undefined;
    const plain = encodePlainly(this.change(this.#decoder.decode(Buffer.concat(block.parts))));
    const first = maxPayload - block.priority.length;
    const pieces: Buffer[] = [Buffer.concat([block.priority, plain.subarray(0, first)])];
    for (let at = first; at < plain.length; at += maxPayload) pieces.push(plain.subarray(at, at + maxPayload));
    return pieces.flatMap((piece, index) => {
      const end = index === pieces.length - 1 ? END_HEADERS : 0;
      const [type, flags] = index === 0 ? [HEADERS, block.flags & ~(PADDED | END_HEADERS)] : [CONTINUATION, 0];
      return [frameHeader(piece.length, type, flags | end, block.stream), piece];
    });
  }

  #cut(length: number): Buffer {
    const piece = this.#pending.subarray(0, length);
    this.#pending = this.#pending.subarray(length);
    return piece;
  }
}

/** The first of a block's frames, without what fills it up. */
function beginning(stream: number, flags: number, payload: Buffer): Block {
  const from = flags & PADDED ? 1 : 0;
  const priority = flags & PRIORITY ? priorityLength : 0;
  const to = payload.length - (flags & PADDED ? (payload[0] ?? 0) : 0);
  if (to < from + priority) throw new Error("a frame with more padding than it has room");
  const part = payload.subarray(from + priority, to);
  return { stream, flags, priority: payload.subarray(from, from + priority), parts: [part], length: part.length };
}

function frameHeader(length: number, type: number, flags: number, stream: number): Buffer {
  const header = Buffer.alloc(headerLength);
  header.writeUIntBE(length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return header;
}
