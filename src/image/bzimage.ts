/** Gets the kernel's ELF out of a bzImage, whose boot header says where it lies (Documentation/x86/boot.rst). */
import { RunvError } from "../base/error";
import { compressionOf, decompress } from "./compression";
import { isElf, viewOf } from "./elf";

const at = {
  setupSectors: 0x1f1,
  magic: 0x202,
  version: 0x206,
  release: 0x20e,
  payloadOffset: 0x248,
  payloadLength: 0x24c,
} as const;
const bootMagic = 0x53726448; // "HdrS"
/** Boot protocol 2.08 was the first to say where the payload is. */
const oldestVersion = 0x208;

export function isBzImage(bytes: Uint8Array): boolean {
  return bytes.length > 0x250 && viewOf(bytes).getUint32(at.magic, true) === bootMagic;
}

/** The kernel's release, which the boot header points to; undefined when it does not. */
export function bzImageRelease(image: Uint8Array): string | undefined {
  const start = viewOf(image).getUint16(at.release, true) + 0x200;
  const text = Buffer.from(image.subarray(start, start + 160)).toString("latin1");
  return /^(\d[\w.+~-]*) /.exec(text)?.[1];
}

/** The compressed kernel in the image. All formats but gzip have the plain size appended: it is cut off. */
function payloadOf(image: Uint8Array, what: string): Uint8Array {
  const view = viewOf(image);
  if (view.getUint16(at.version, true) < oldestVersion) throw unusable(what, "its boot protocol is older than 2.08");
  const sectors = image[at.setupSectors] || 4;
  const start = (sectors + 1) * 512 + view.getUint32(at.payloadOffset, true);
  const length = view.getUint32(at.payloadLength, true);
  if (length < 8 || start + length > image.length) throw unusable(what, "its payload lies outside the file");
  const payload = image.subarray(start, start + length);
  return compressionOf(payload) === "gzip" ? payload : payload.subarray(0, -4);
}

/** The kernel's ELF file, from a bzImage, from a compressed ELF, or from the ELF itself. */
export async function extractVmlinux(bytes: Uint8Array, what: string): Promise<Uint8Array> {
  if (isElf(bytes)) return bytes;
  const packed = isBzImage(bytes) ? payloadOf(bytes, what) : bytes;
  if (compressionOf(packed) === undefined && !isElf(packed)) {
    throw unusable(what, "it is neither a bzImage nor an ELF file, nor compressed in a known way");
  }
  const plain = await decompress(packed, what);
  if (!isElf(plain)) throw unusable(what, "what it contains is not an ELF file");
  return plain;
}

function unusable(what: string, why: string): RunvError {
  return new RunvError("IMAGE_KERNEL_UNUSABLE", `${what} is no kernel that runv can use: ${why}`, {
    hint: "give --kernel a bzImage (the vmlinuz of a distribution) or a vmlinux",
  });
}
