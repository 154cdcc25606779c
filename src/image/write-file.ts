/** Writes a file so that readers see the old one or the new one and never half. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { RunvError } from "../base/error";

export function writeWhole(path: string, data: Uint8Array, mode = 0o644): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, data, { mode, flush: true });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new RunvError("IMAGE_UNWRITABLE", `write ${path}: ${(error as Error).message}`, { cause: error });
  }
}
