/** The guest's init, which `guest/build` makes. It is embedded in the executable, for images and for starting QEMU. */
import { readFileSync } from "node:fs";
import path from "../../dist/init" with { type: "file" };

export function readInit(): Uint8Array {
  return readFileSync(path);
}
