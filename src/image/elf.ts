/** The parts of 64-bit little-endian ELF that kernels and their modules need. */
import { RunvError } from "../base/error";
import type { Architecture } from "../linux/syscalls";

export const programType = { load: 1, note: 4 } as const;

export interface ElfHeader {
  machine: number;
  programs: ProgramHeader[];
  sections: SectionHeader[];
}

export interface ProgramHeader {
  /** Where the header itself lies in the file. */
  at: number;
  type: number;
  offset: number;
  size: number;
}

export interface SectionHeader {
  at: number;
  name: string;
  type: number;
  offset: number;
  size: number;
  align: number;
}

/** SHT_NOBITS: a section without bytes in the file. */
export const noBits = 8;

/** Names of the machines that guests may have. */
export const machines: Readonly<Record<number, Architecture>> = { 62: "x86_64", 183: "aarch64" };

/** The machine of a program, from the beginning of its file; undefined where it is none, or none that guests may have. */
export function machineOf(head: Uint8Array): Architecture | undefined {
  return isElf(head) ? machines[viewOf(head).getUint16(18, true)] : undefined;
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 64 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** Reads the headers. `what` names the file in errors. */
export function readElf(bytes: Uint8Array, what: string): ElfHeader {
  if (!isElf(bytes)) throw malformed(what, "it does not begin like one");
  if (bytes[4] !== 2 || bytes[5] !== 1) throw malformed(what, "it is not 64-bit little-endian");
  const view = viewOf(bytes);
  try {
    return { machine: view.getUint16(18, true), programs: readPrograms(view), sections: readSections(bytes, view) };
  } catch (error) {
    throw malformed(what, "its headers lie outside the file", error);
  }
}

/** The bytes of a part of the file. */
export function bytesOf(bytes: Uint8Array, part: { offset: number; size: number }): Uint8Array {
  return bytes.subarray(part.offset, part.offset + part.size);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readPrograms(view: DataView): ProgramHeader[] {
  const table = number(view, 32);
  return range(view.getUint16(56, true)).map((index) => {
    const at = table + index * view.getUint16(54, true);
    return {
      at,
      type: view.getUint32(at, true),
      offset: number(view, at + 8),
      size: number(view, at + 32),
    };
  });
}

function readSections(bytes: Uint8Array, view: DataView): SectionHeader[] {
  const table = number(view, 40);
  const size = view.getUint16(58, true);
  if (table === 0) return [];
  const names = table + view.getUint16(62, true) * size;
  const strings = { offset: number(view, names + 24), size: number(view, names + 32) };
  const name = bytesOf(bytes, strings);
  return range(view.getUint16(60, true)).map((index) => {
    const at = table + index * size;
    return {
      at,
      name: textAt(name, view.getUint32(at, true)),
      type: view.getUint32(at + 4, true),
      offset: number(view, at + 24),
      size: number(view, at + 32),
      align: number(view, at + 48),
    };
  });
}

function textAt(bytes: Uint8Array, offset: number): string {
  const end = bytes.indexOf(0, offset);
  return Buffer.from(bytes.subarray(offset, end < 0 ? undefined : end)).toString("latin1");
}

/** A 64-bit number; offsets and sizes of real files are exact as a number of JavaScript. */
const number = (view: DataView, at: number) => Number(view.getBigUint64(at, true));

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

function malformed(what: string, why: string, cause?: unknown): RunvError {
  return new RunvError("IMAGE_ELF_MALFORMED", `${what} is not a usable ELF file: ${why}`, { cause });
}
