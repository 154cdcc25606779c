/** Checksums of files that may be mostly holes. */
import { readSync } from "node:fs";
import { SystemError, syscall } from "../../linux/local";

const block = 1 << 20;
/** After so many blocks whoever else wants this process's time has it: a daemon goes on answering. */
const blocksAtOnce = 16;
/** lseek(2) */
const [SEEK_SET, SEEK_END, SEEK_DATA] = [0, 2, 3];

/**
 * The SHA-256 of a file: of each MiB that is not all zeros, with its number, and of the size. So it does not matter which zeros are holes.
 * The descriptor is at the file's beginning afterwards.
 * @throws what reading throws
 */
export async function digestOf(fd: number): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  const size = sizeOf(fd);
  const buffer = Buffer.alloc(block);
  const zeros = Buffer.alloc(block);
  const number = new BigUint64Array(1);
  let blocks = 0;
  for (let at = dataAfter(fd, 0, size); at < size; at = dataAfter(fd, at + block, size)) {
    at -= at % block;
    if (++blocks % blocksAtOnce === 0) await turn();
    let length = 0;
    while (length < block) {
      const read = readSync(fd, buffer, length, block - length, at + length);
      if (read === 0) break;
      length += read;
    }
    const bytes = buffer.subarray(0, length);
    if (bytes.equals(zeros.subarray(0, length))) continue;
    number[0] = BigInt(at);
    hash.update(number).update(bytes);
  }
  number[0] = BigInt(size);
  syscall("lseek", fd, 0, SEEK_SET);
  return hash.update(number).digest("hex");
}

/** Fulfilled when others have had their turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** In bytes, of a block device too. The descriptor is at the file's beginning afterwards. */
export function sizeOf(fd: number): number {
  const size = syscall("lseek", fd, 0, SEEK_END);
  syscall("lseek", fd, 0, SEEK_SET);
  return size;
}

/** Where the next data are; the size when there are none. What knows of no holes has none. */
function dataAfter(fd: number, offset: number, size: number): number {
  if (offset >= size) return size;
  try {
    return syscall("lseek", fd, offset, SEEK_DATA);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return error.code === "ENXIO" ? size : offset;
  }
}
