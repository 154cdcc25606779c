/** Writes files so that readers see the old ones or the new ones and never half. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { RunvError } from "../base/error";

/**
 * Writes files that belong together: all are on the disk before the first is in its place, so that a full one changes nothing.
 * @param files paths, with what is to be there
 * @param between what else is put in its place then, before them; nothing is changed if it fails
 * @throws RunvError IMAGE_UNWRITABLE
 */
export async function writeTogether(
  files: ReadonlyMap<string, Uint8Array>,
  between: () => Promise<void>,
): Promise<void> {
  const temporary = (path: string) => `${path}.${process.pid}.new`;
  try {
    for (const [path, data] of files) {
      reported(path, () => {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(temporary(path), data, { mode: 0o644, flush: true });
      });
    }
    await between();
    for (const path of files.keys()) reported(path, () => renameSync(temporary(path), path));
  } finally {
    for (const path of files.keys()) quietly(() => rmSync(temporary(path), { force: true }));
  }
}

function reported(path: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw new RunvError("IMAGE_UNWRITABLE", `write ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function quietly(action: () => void): void {
  try {
    action();
  } catch {
    // There is no such directory: nothing was written there.
  }
}
