/**
 * Makes a module smaller and quicker to load: without its signature, for which the kernel would hash the whole file, and
 * without the sections that only debuggers read. A kernel that insists on signatures would not take it, but no
 * distribution's does so in a VM without secure boot.
 */
import { noBits, readElf, viewOf } from "./elf";

const headerSize = 64;
const sectionHeaderSize = 64;
const signatureMark = Buffer.from("~Module signature appended~\n");
const signatureHeaderSize = 12;
/** `.BTF_ids` is none of them: modules with functions for BPF programs read it when they are loaded. */
const useless = /^\.(BTF|comment|note\.GNU-stack|(rela\.)?debug_.*)$/;

/** The module without its signature. */
export function withoutSignature(module: Uint8Array): Uint8Array {
  const mark = module.length - signatureMark.length;
  if (mark < signatureHeaderSize || signatureMark.compare(module.subarray(mark)) !== 0) return module;
  const size = viewOf(module).getUint32(mark - 4, false);
  return module.subarray(0, Math.max(0, mark - signatureHeaderSize - size));
}

/** The module without what is useless. Sections keep their numbers, since symbols and relocations name them by it. */
export function trimModule(signed: Uint8Array, what: string): Uint8Array {
  const module = withoutSignature(signed);
  const { sections } = readElf(module, what);
  const trimmed = new Uint8Array(module.length + sections.length * 16);
  const view = viewOf(trimmed);
  // Copies: the slice of a Buffer would be a part of the module itself.
  const headers = sections.map(({ at }) => new Uint8Array(module.subarray(at, at + sectionHeaderSize)));
  let end = headerSize;
  for (const [index, section] of sections.entries()) {
    const header = viewOf(headers[index]!);
    const drop = useless.test(section.name);
    const size = drop || section.type === noBits ? 0 : section.size;
    const start = alignUp(end, section.align);
    trimmed.set(module.subarray(section.offset, section.offset + size), start);
    end = start + size;
    header.setBigUint64(24, BigInt(start), true);
    if (!drop) continue;
    // An empty one that is not loaded and has no name.
    for (const field of [0, 4]) header.setUint32(field, 0, true);
    for (const field of [8, 32]) header.setBigUint64(field, 0n, true);
  }
  const table = alignUp(end, 8);
  trimmed.set(module.subarray(0, headerSize));
  view.setBigUint64(40, BigInt(table), true);
  headers.forEach((header, index) => {
    trimmed.set(header, table + index * sectionHeaderSize);
  });
  return trimmed.subarray(0, table + sections.length * sectionHeaderSize);
}

function alignUp(offset: number, align: number): number {
  return Math.ceil(offset / Math.max(align, 1)) * Math.max(align, 1);
}
