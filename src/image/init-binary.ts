/** The guest's init, which `guest/build` makes. It is embedded in the executable, for images and for starting QEMU. */
import { readFileSync } from "node:fs";
import path from "../../dist/init" with { type: "file" };
import foreign from "../../dist/init-aarch64" with { type: "file" };
import { RunvError } from "../base/error";
import { type Architecture, architecture, imageNameOf } from "../linux/syscalls";

/** @throws RunvError IMAGE_ARCHITECTURE when this executable has none for that architecture */
export function readInit(on: Architecture = architecture): Uint8Array {
  if (on === architecture) return readFileSync(path);
  const init = on === "aarch64" ? readFileSync(foreign) : Buffer.alloc(0);
  if (init.length > 0) return init;
  throw new RunvError("IMAGE_ARCHITECTURE", `this runv was built without an init for guests of ${imageNameOf(on)}`, {
    hint: "build it where there is aarch64-linux-gnu-gcc (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross): ./build",
  });
}
