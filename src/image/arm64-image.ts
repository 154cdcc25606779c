/** arm64's kernels: an `Image` (Documentation/arch/arm64/booting.rst), as it is, compressed, or in an EFI program that unpacks it (drivers/firmware/efi/libstub/zboot-header.S). */
import { RunvError } from "../base/error";
import { compressionOf, decompress } from "./compression";
import { viewOf } from "./elf";
import { releaseOf, type Vmlinux } from "./vmlinux";

const magicAt = 56;
const imageMagic = 0x644d5241; // "ARM\x64"
const packed = { magicAt: 4, magic: 0x676d697a, offsetAt: 8, sizeAt: 12 } as const; // "zimg"
const headerSize = 64;

/** Whether this is a kernel of arm64's, compressed maybe. */
export async function isArm64Kernel(bytes: Uint8Array, what: string): Promise<boolean> {
  return (
    isImage(bytes) || isPacked(bytes) || (compressionOf(bytes) !== undefined && isImage(await decompress(bytes, what)))
  );
}

/** The kernel as hypervisors start it. @throws RunvError IMAGE_KERNEL_UNUSABLE */
export async function prepareArm64(bytes: Uint8Array, what: string): Promise<Vmlinux> {
  const image = await decompress(isPacked(bytes) ? payloadOf(bytes) : bytes, what);
  const release = isImage(image) ? releaseOf(image) : undefined;
  if (release !== undefined) return { bytes: image, arch: "aarch64", release };
  throw new RunvError(
    "IMAGE_KERNEL_UNUSABLE",
    `${what} is no kernel that runv can use: it does not contain an Image of arm64's`,
  );
}

function isImage(bytes: Uint8Array): boolean {
  return bytes.length > headerSize && viewOf(bytes).getUint32(magicAt, true) === imageMagic;
}

function isPacked(bytes: Uint8Array): boolean {
  return bytes.length > headerSize && viewOf(bytes).getUint32(packed.magicAt, true) === packed.magic;
}

function payloadOf(bytes: Uint8Array): Uint8Array {
  const view = viewOf(bytes);
  const offset = view.getUint32(packed.offsetAt, true);
  return bytes.subarray(offset, offset + view.getUint32(packed.sizeAt, true));
}
