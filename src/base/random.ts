/**
 * Random names and sums, of what is there when the executable starts: `node:crypto` costs 3 ms to load, in each of the processes that it takes to start
 * a container, as `node:net` and `node:stream` do and `node:zlib` more.
 */

/** So many random bytes, in hexadecimal. */
export function randomHex(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toHex();
}

/** The SHA-256 sum of a text, in hexadecimal. */
export function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}
