/** What is loaded into QEMU before its libraries (preload/), where its version wants it. It is embedded in the executable. */
import { readFileSync } from "node:fs";
import path from "../../../dist/preload.so" with { type: "file" };
import { atLeast, type QemuVersion } from "./version";

/**
 * Whether QEMU's 9p server makes no special files without it. Distributions patch older versions too, so no more is asked of them; where
 * nothing is to be mended it changes nothing.
 */
export function wantsPreload(version: QemuVersion): boolean {
  return !atLeast(version, "10.0");
}

/** The shared object. */
export function readPreload(): Uint8Array {
  return readFileSync(path);
}
