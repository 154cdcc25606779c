import { writeSync } from "node:fs";
import { MFD_CLOEXEC } from "./constants";
import { SystemError, syscall } from "./local";

/** linux/memfd.h, since Linux 6.3: without it a kernel may be set to refuse to execute it. */
const MFD_EXEC = 0x10;

/**
 * Makes a file in memory that can be executed.
 * @returns its descriptor, at the beginning of the file; the caller closes it
 * @throws SystemError
 */
export function memoryFile(name: string, bytes: Uint8Array): number {
  const fd = create(name);
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(fd, bytes, written, bytes.length - written, written);
  }
  return fd;
}

function create(name: string): number {
  try {
    return syscall("memfd_create", name, MFD_CLOEXEC | MFD_EXEC);
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== "EINVAL") throw error;
    return syscall("memfd_create", name, MFD_CLOEXEC);
  }
}
