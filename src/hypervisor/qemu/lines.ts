import { RunvError } from "../../base/error";

/** Cuts a byte stream into lines of text, of bounded length. */
export class LineReader {
  #rest: Uint8Array[] = [];
  #length = 0;

  /** @param maxLength most bytes of a line */
  constructor(readonly maxLength: number) {}

  /**
   * Takes the next bytes and hands each complete line to `take`, without its end and unless it is empty.
   * @throws RunvError VM_QMP_PROTOCOL when a line is too long
   */
  push(bytes: Uint8Array, take: (line: string) => void): void {
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      const line = Buffer.concat([...this.#rest, bytes.subarray(from, end)])
        .toString("utf8")
        .trim();
      this.#rest = [];
      this.#length = 0;
      from = end + 1;
      if (line !== "") take(line);
    }
    this.#length += bytes.length - from;
    if (this.#length > this.maxLength) {
      this.#rest = [];
      this.#length = 0;
      throw new RunvError("VM_QMP_PROTOCOL", `qemu sent a line of more than ${this.maxLength} bytes`);
    }
    // The reader's buffer may be used again: keep a copy.
    if (from < bytes.length) this.#rest.push(bytes.slice(from));
  }
}
