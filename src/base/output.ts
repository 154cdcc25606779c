/** Writing to a file descriptor at once, so that nothing is lost when the process ends right after. */
import { writeSync } from "node:fs";

/** Writes all of the text, or bytes; waits for a reader that is slow, gives up quietly when there is none any more. */
export function writeAll(fd: number, content: string | Uint8Array): void {
  let rest: Uint8Array = typeof content === "string" ? Buffer.from(content) : content;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EAGAIN" && code !== "EINTR") return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Writes what is taken at once; the rest is lost. */
export function writeSome(fd: number, text: string): void {
  try {
    writeSync(fd, text);
  } catch {
    // Nobody reads.
  }
}

/** Writes to standard output. */
export function print(text: string): void {
  writeAll(1, text);
}
