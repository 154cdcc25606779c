/** Bytes to a peer: what it does not take at once is kept, up to a bound, and sent when it does. */

interface Sink {
  /** @returns how many bytes were taken, or a negative number */
  write(bytes: Uint8Array): number;
  end(): void;
}

/** A peer that leaves so many bytes untaken is stuck. */
const mostUnsent = 16 << 20;

export class Channel {
  #unsent: Uint8Array[] = [];
  #unsentBytes = 0;

  constructor(private readonly sink: Sink) {}

  /** Sends bytes. @returns false when the peer takes nothing any more: the connection is ended then */
  send(bytes: Uint8Array): boolean {
    this.#unsent.push(bytes);
    this.#unsentBytes += bytes.length;
    this.drain();
    if (this.#unsentBytes <= mostUnsent) return true;
    this.sink.end();
    return false;
  }

  /** The peer takes bytes again. */
  drain(): void {
    while (this.#unsent.length > 0) {
      const bytes = this.#unsent[0]!;
      const sent = Math.max(0, this.sink.write(bytes));
      this.#unsentBytes -= sent;
      if (sent < bytes.length) {
        this.#unsent[0] = bytes.subarray(sent);
        return;
      }
      this.#unsent.shift();
    }
  }

  end(): void {
    this.sink.end();
  }
}
