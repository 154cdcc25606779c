/** Reads the manifest of an initrd. Every start of a VM does this, so it reads the beginning of the file and no more. */
import { closeSync, openSync, readSync } from "node:fs";
import { RunvError } from "../base/error";
import { compressionOf } from "./compression";
import { readCpioHeader } from "./cpio";
import { type ImageManifest, manifestPath, parseManifest, protocolVersion } from "./manifest";

const firstRead = 32 * 1024;
/** No manifest is as large as this. */
const largest = 1024 * 1024;
const rebuild = "make one that fits: runv image build";

/**
 * The manifest of the initrd.
 * @throws RunvError IMAGE_NOT_FOUND, IMAGE_NOT_RUNV, IMAGE_PROTOCOL
 */
export function readImageManifest(path: string): ImageManifest {
  const start = readStart(path, firstRead);
  const header = readCpioHeader(start, 0);
  if (header?.path !== manifestPath) throw notRunv(path, describe(start));
  if (header.dataSize > largest) throw notRunv(path, "its manifest is too large");
  const end = header.dataOffset + header.dataSize;
  const bytes = end <= start.length ? start : readStart(path, end);
  if (bytes.length < end) throw notRunv(path, "it is cut off");
  const manifest = parseManifest(Buffer.from(bytes.subarray(header.dataOffset, end)).toString("utf8"));
  if (manifest === undefined) throw notRunv(path, "its manifest is not one that this runv understands");
  if (manifest.protocol !== protocolVersion) {
    const message = `the initrd ${path} speaks version ${manifest.protocol} of the guest protocol, this runv version ${protocolVersion}`;
    throw new RunvError("IMAGE_PROTOCOL", message, { hint: rebuild });
  }
  return manifest;
}

/** What an initrd that is not runv's seems to be. */
function describe(start: Uint8Array): string {
  if (start.length === 0) return "it is empty";
  const compression = compressionOf(start);
  if (compression === "gzip") return "it is compressed with gzip, as that of the original runV, hyperstart, is";
  if (compression !== undefined) return `it is compressed with ${compression}, as distributions' own are`;
  const first = readCpioHeader(start, 0);
  if (first !== undefined)
    return `it is a cpio archive of something else, beginning with ${JSON.stringify(first.path)}`;
  return "it is not a cpio archive";
}

function readStart(path: string, size: number): Uint8Array {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is none" : message;
    throw new RunvError("IMAGE_NOT_FOUND", `open the initrd ${path}: ${why}`, {
      cause: error,
      hint: "make kernel and initrd: runv image build",
    });
  }
  try {
    const buffer = Buffer.allocUnsafe(size);
    return buffer.subarray(0, readSync(fd, buffer, 0, size, 0));
  } catch (error) {
    throw notRunv(path, (error as Error).message);
  } finally {
    closeSync(fd);
  }
}

function notRunv(path: string, why: string): RunvError {
  return new RunvError("IMAGE_NOT_RUNV", `${path} is not an initrd of runv (${why})`, { hint: rebuild });
}
