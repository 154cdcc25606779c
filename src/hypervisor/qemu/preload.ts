/** What is loaded into QEMU before its libraries (preload/). It is embedded in the executable. */
import { readFileSync } from "node:fs";
import path from "../../../dist/preload.so" with { type: "file" };

/** The shared object. */
export function readPreload(): Uint8Array {
  return readFileSync(path);
}
