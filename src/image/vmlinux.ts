/** The kernel as hypervisors start it without a boot loader: an ELF file with the PVH note, and nothing it can do without. */
import { RunvError } from "../base/error";
import { bytesOf, type ElfHeader, machines, programType, readElf, viewOf } from "./elf";

const pageSize = 4096;
const headerSize = 64;
const programHeaderSize = 56;
/** XEN_ELFNOTE_PHYS32_ENTRY: where to enter the kernel in 32-bit mode. */
const phys32Entry = 18;
/** XEN_ELFNOTE_ENTRY: where to enter it as a paravirtual guest. */
const pvEntry = 1;

export interface Vmlinux {
  bytes: Uint8Array;
  arch: string;
  release: string;
}

/** Checks that this ELF file is a kernel that can be entered by PVH, and makes it as small as it can be. */
export function prepareVmlinux(bytes: Uint8Array, what: string): Vmlinux {
  const elf = readElf(bytes, what);
  const arch = machines[elf.machine];
  if (arch === undefined) throw unfit(what, `it is for another machine (ELF number ${elf.machine})`);
  if (!hasPvhEntry(bytes, elf)) {
    throw unfit(
      what,
      "it has no PVH entry (the note XEN_ELFNOTE_PHYS32_ENTRY)",
      "its configuration needs CONFIG_PVH=y",
    );
  }
  const release = releaseOf(bytes);
  if (release === undefined) throw unfit(what, 'it does not say "Linux version" anywhere');
  return { bytes: trim(bytes, elf), arch, release };
}

/** Whether a note says where to enter it by PVH. */
export function hasPvhEntry(bytes: Uint8Array, elf: ElfHeader): boolean {
  return hasNote(bytes, elf, phys32Entry);
}

/** Whether a note says where to enter it as a paravirtual guest of Xen's. */
export function hasPvEntry(bytes: Uint8Array, elf: ElfHeader): boolean {
  return hasNote(bytes, elf, pvEntry);
}

function hasNote(bytes: Uint8Array, elf: ElfHeader, note: number): boolean {
  const notes = elf.programs.filter(({ type }) => type === programType.note);
  return notes.some((program) => noteTypes(bytesOf(bytes, program)).includes(note));
}

/** The release in the kernel's banner: `Linux version 6.1.0-56-amd64 (…`. */
export function releaseOf(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const banner = "Linux version ";
  for (let at = text.indexOf(banner); at >= 0; at = text.indexOf(banner, at + 1)) {
    const match = /^Linux version (\d[\w.+~-]*) \(/.exec(text.toString("latin1", at, at + 160));
    if (match !== null) return match[1];
  }
  return undefined;
}

/** Types of the Xen notes. */
function noteTypes(notes: Uint8Array): number[] {
  const types: number[] = [];
  const view = viewOf(notes);
  for (let at = 0; at + 12 <= notes.length; ) {
    const [nameSize, size] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const name = Buffer.from(notes.subarray(at + 12, at + 12 + nameSize)).toString("latin1");
    if (name === "Xen\0") types.push(view.getUint32(at + 8, true));
    at += 12 + align4(nameSize) + align4(size);
  }
  return types;
}

/** The same file with its segments moved together, without sections, symbols and what is appended. */
function trim(bytes: Uint8Array, elf: ElfHeader): Uint8Array {
  const kept = elf.programs.filter(({ type }) => type === programType.load || type === programType.note);
  const parts: { to: number; from: Uint8Array }[] = [];
  const headers = new Uint8Array(headerSize + kept.length * programHeaderSize);
  headers.set(bytes.subarray(0, headerSize));
  const view = viewOf(headers);
  view.setBigUint64(32, BigInt(headerSize), true);
  view.setBigUint64(40, 0n, true);
  view.setUint16(56, kept.length, true);
  for (const field of [58, 60, 62]) view.setUint16(field, 0, true);
  let end = headers.length;
  kept.forEach((program, index) => {
    // Each stays at its place in its page, as ELF wants it.
    const to = end + ((program.offset - end) & (pageSize - 1));
    const header = headerSize + index * programHeaderSize;
    headers.set(bytes.subarray(program.at, program.at + programHeaderSize), header);
    view.setBigUint64(header + 8, BigInt(to), true);
    parts.push({ to, from: bytesOf(bytes, program) });
    end = to + program.size;
  });
  const trimmed = new Uint8Array(end);
  trimmed.set(headers);
  for (const { to, from } of parts) trimmed.set(from, to);
  return trimmed;
}

const align4 = (size: number) => (size + 3) & ~3;

function unfit(what: string, why: string, hint?: string): RunvError {
  const options = hint === undefined ? {} : { hint };
  return new RunvError("IMAGE_KERNEL_UNUSABLE", `${what} is no kernel that runv can use: ${why}`, options);
}
