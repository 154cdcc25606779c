/**
 * cpio archives in the `newc` format, which is what the kernel takes for an initramfs: per entry a header of 110
 * characters, the name, the data, name and data padded to 4 bytes. Written without times, owners or inode numbers of
 * this machine, so the same content is always the same file.
 */

export interface CpioEntry {
  /** Without a leading slash. */
  path: string;
  /** Type and permissions, as in `st_mode`. */
  mode: number;
  data: Uint8Array;
}

/** What a header says about the entry behind it, and where that lies in the archive. */
export interface CpioHeader {
  path: string;
  mode: number;
  dataOffset: number;
  dataSize: number;
  /** Where the next header begins. */
  end: number;
}

const magic = "070701";
const headerSize = 110;
const trailer = "TRAILER!!!";
const nothing = new Uint8Array(0);

export const directory = (path: string, mode = 0o755): CpioEntry => ({ path, mode: 0o040000 | mode, data: nothing });

export const file = (path: string, data: Uint8Array | string, mode = 0o644): CpioEntry => ({
  path,
  mode: 0o100000 | mode,
  data: typeof data === "string" ? Buffer.from(data) : data,
});

/** The archive that holds these entries, in this order. */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts = entries.flatMap((entry, index) => encode(entry, index + 1));
  return Buffer.concat([...parts, ...encode({ path: trailer, mode: 0, data: nothing }, 0)]);
}

/** Reads the header at `offset`; undefined when there is none, or the archive ends there. */
export function readCpioHeader(archive: Uint8Array, offset: number): CpioHeader | undefined {
  const text = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  if (text.toString("latin1", offset, offset + 6) !== magic) return undefined;
  const field = (index: number) => {
    const at = offset + 6 + index * 8;
    return Number.parseInt(text.toString("latin1", at, at + 8), 16);
  };
  const [mode, dataSize, nameSize] = [field(1), field(6), field(11)];
  if (![mode, dataSize, nameSize].every(Number.isSafeInteger)) return undefined;
  const name = offset + headerSize;
  const path = text.toString("utf8", name, name + nameSize - 1);
  if (path === trailer) return undefined;
  const dataOffset = pad(name + nameSize);
  return { path, mode, dataOffset, dataSize, end: pad(dataOffset + dataSize) };
}

/** All headers of the archive. */
export function listCpio(archive: Uint8Array): CpioHeader[] {
  const found: CpioHeader[] = [];
  for (let next = readCpioHeader(archive, 0); next !== undefined; next = readCpioHeader(archive, next.end)) {
    found.push(next);
  }
  return found;
}

function encode({ path, mode, data }: CpioEntry, inode: number): Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  const links = (mode & 0o170000) === 0o040000 ? 2 : 1;
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(magic + fields.map((value) => value.toString(16).padStart(8, "0")).join(""), "latin1");
  const head = Buffer.concat([header, name]);
  return [head, zeros(head.length), data, zeros(data.length)];
}

const pad = (size: number) => (size + 3) & ~3;
const zeros = (size: number) => new Uint8Array(pad(size) - size);
