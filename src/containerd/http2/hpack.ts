/** HPACK, the encoding of HTTP/2's headers (RFC 7541): read with all that it has, written in its plainest form. */
import { decodeHuffman } from "./huffman";
import { staticTable } from "./static-table";

/** A header, in the bytes that were sent. */
export type Field = readonly [name: Buffer, value: Buffer];

/** What a table's entry counts besides its name and value. */
const entryOverhead = 32;
/** The most that a block's headers may come to: a byte of it can stand for a whole entry of the table. */
const maxFields = 262_144;
/** What SETTINGS_HEADER_TABLE_SIZE is as long as nobody says otherwise. */
const maxTableSize = 4096;
/** Integers have no more bytes than this after the first: 28 bits are more than any header has. */
const maxContinuation = 4;

const fixed: readonly Field[] = staticTable.map(([name, value]) => [Buffer.from(name), Buffer.from(value)]);

/** Reads the header blocks of one connection, all of them and in their order: what one says is remembered for those that follow. */
export class HpackDecoder {
  /** The newest first. */
  readonly #dynamic: Field[] = [];
  #size = 0;
  #limit = maxTableSize;

  /** @param block whole @throws Error when it is none; nothing of the connection can be read then */
  decode(block: Uint8Array): Field[] {
    const reader = new Reader(block);
    const fields: Field[] = [];
    let size = 0;
    const take = (field: Field) => {
      size += sizeOf(field);
      if (size > maxFields) throw new Error("headers that are too long");
      fields.push(field);
    };
    while (reader.hasMore) {
      const first = reader.peek();
      if (first & 0x80) {
        take(this.#entry(reader.integer(7)));
      } else if (first & 0x40) {
        const field = this.#literal(reader, 6);
        this.#add(field);
        take(field);
      } else if (first & 0x20) {
        if (fields.length > 0) throw new Error("the table's size changes after a header");
        this.#resize(reader.integer(5));
      } else {
        take(this.#literal(reader, 4));
      }
    }
    return fields;
  }

  #literal(reader: Reader, prefixBits: number): Field {
    const index = reader.integer(prefixBits);
    return [index === 0 ? reader.string() : this.#entry(index)[0], reader.string()];
  }

  #entry(index: number): Field {
    const field = index <= fixed.length ? fixed[index - 1] : this.#dynamic[index - fixed.length - 1];
    if (field === undefined) throw new Error(`no header has the index ${index}`);
    return field;
  }

  #add(field: Field): void {
    this.#dynamic.unshift(field);
    this.#size += sizeOf(field);
    this.#evict();
  }

  #resize(limit: number): void {
    if (limit > maxTableSize) throw new Error(`a table of ${limit} bytes`);
    this.#limit = limit;
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#limit) this.#size -= sizeOf(this.#dynamic.pop()!);
  }
}

/** Writes headers so that no table is needed to read them: as literals that are not to be remembered. */
export function encodePlainly(fields: readonly Field[]): Buffer {
  const text = (bytes: Buffer) => [integer(bytes.length, 7), bytes];
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), ...text(name), ...text(value)]));
}

function sizeOf([name, value]: Field): number {
  return name.length + value.length + entryOverhead;
}

function integer(value: number, prefixBits: number): Buffer {
  const most = 2 ** prefixBits - 1;
  if (value < most) return Buffer.of(value);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** Goes through a block. */
class Reader {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get hasMore(): boolean {
    return this.#at < this.bytes.length;
  }

  peek(): number {
    const byte = this.bytes[this.#at];
    if (byte === undefined) throw new Error("a header that ends too early");
    return byte;
  }

  integer(prefixBits: number): number {
    const most = 2 ** prefixBits - 1;
    const first = this.#byte() & most;
    if (first < most) return first;
    let value = most;
    for (let count = 0; count < maxContinuation; count++) {
      const byte = this.#byte();
      value += (byte & 0x7f) << (7 * count);
      if (byte < 0x80) return value;
    }
    throw new Error("an integer that is too large");
  }

  string(): Buffer {
    const isHuffman = (this.peek() & 0x80) !== 0;
    const length = this.integer(7);
    if (length > this.bytes.length - this.#at) throw new Error("a string that ends too early");
    const bytes = this.bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return isHuffman ? decodeHuffman(bytes) : Buffer.from(bytes);
  }

  #byte(): number {
    const byte = this.peek();
    this.#at++;
    return byte;
  }
}
