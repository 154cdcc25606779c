/** Small made-up ELF files for the tests of this room. */

export interface MadeUpSection {
  name: string;
  data: Uint8Array | string;
}

export interface MadeUpSegment {
  type: number;
  data: Uint8Array;
}

/** A 64-bit ELF file for x86-64: segments one behind the other after a page, then sections. */
export function madeUpElf({
  segments = [],
  sections = [],
}: {
  segments?: MadeUpSegment[];
  sections?: MadeUpSection[];
}) {
  const bytes = new Uint8Array(64 * 1024);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(18, 62, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, segments.length, true);
  let end = 4096;
  segments.forEach(({ type, data }, index) => {
    const at = 64 + index * 56;
    view.setUint32(at, type, true);
    view.setBigUint64(at + 8, BigInt(end), true);
    view.setBigUint64(at + 32, BigInt(data.length), true);
    bytes.set(data, end);
    end += Math.ceil(data.length / 8) * 8;
  });
  if (sections.length === 0) return bytes.slice(0, end);
  const all = [{ name: "", data: "" }, ...sections, { name: ".shstrtab", data: "" }];
  all.at(-1)!.data = all.map(({ name }) => `${name}\0`).join("");
  const table: [name: number, offset: number, size: number][] = [];
  let name = 0;
  for (const section of all) {
    const data = typeof section.data === "string" ? Buffer.from(section.data, "latin1") : section.data;
    bytes.set(data, end);
    table.push([name, end, data.length]);
    end += data.length;
    name += section.name.length + 1;
  }
  table.forEach(([name, offset, size], index) => {
    const at = end + index * 64;
    view.setUint32(at, name, true);
    view.setUint32(at + 4, index === 0 ? 0 : 1, true);
    view.setBigUint64(at + 24, BigInt(offset), true);
    view.setBigUint64(at + 32, BigInt(size), true);
    view.setBigUint64(at + 48, 1n, true);
  });
  view.setBigUint64(40, BigInt(end), true);
  view.setUint16(58, 64, true);
  view.setUint16(60, all.length, true);
  view.setUint16(62, all.length - 1, true);
  return bytes.slice(0, end + all.length * 64);
}

/** A note as Xen's are: the type says what it is. */
export function xenNote(type: number): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 4, true);
  view.setUint32(4, 8, true);
  view.setUint32(8, type, true);
  bytes.set(Buffer.from("Xen\0"), 12);
  return bytes;
}

/** A kernel, as far as `prepareVmlinux` looks at it. */
export function madeUpKernel({ note = 18, banner = "Linux version 6.1.0-test (somebody) #1\n" } = {}): Uint8Array {
  return madeUpElf({
    segments: [
      { type: 1, data: Buffer.from(banner) },
      { type: 6, data: new Uint8Array(5000) },
      { type: 4, data: xenNote(note) },
    ],
    sections: [{ name: ".symtab", data: "symbols" }],
  });
}
