/** The guest's init, which `guest/build` makes. It is embedded in the executable, for images and for starting QEMU. */
import { readFileSync } from "node:fs";
import path from "../../dist/init" with { type: "file" };
import foreign from "../../dist/init-foreign" with { type: "file" };
import { RunvError } from "../base/error";
import { type Architecture, architecture, imageNameOf } from "../linux/syscalls";

/** What compiles it for guests of each, on a machine that is none of them. */
const compilers: Readonly<Record<Architecture, string>> = {
  x86_64: "x86_64-linux-gnu-gcc (Debian: gcc-x86-64-linux-gnu libc6-dev-amd64-cross)",
  aarch64: "aarch64-linux-gnu-gcc (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross)",
};

/** @throws RunvError IMAGE_ARCHITECTURE when this executable has none for that architecture */
export function readInit(on: Architecture = architecture): Uint8Array {
  if (on === architecture) return readFileSync(path);
  const init = readFileSync(foreign);
  if (init.length > 0) return init;
  throw new RunvError("IMAGE_ARCHITECTURE", `this runv was built without an init for guests of ${imageNameOf(on)}`, {
    hint: `build it where there is ${compilers[on]}: ./build`,
  });
}
