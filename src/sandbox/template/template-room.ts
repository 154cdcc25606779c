/** Whether templates can be made where they are to be: without them each machine boots, which is slower and no failure. */
import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { TemplateSettings } from "../../base/settings";
import type { Finding } from "../../hypervisor/driver";
import { fileProblem } from "../../linux/memory-file";

/** What a kernel that boots writes to, in MiB: so much, and a part of its memory in which it describes all of it. */
const [written, described] = [96, 1 / 32];

/** Its type, as statfs(2) has it. */
const tmpfs = 0x0102_1994;

/**
 * Whether a template's memory must be there whole: a hole of a file on tmpfs is filled when a clone first looks at it, which ends by SIGBUS where
 * there is no more room.
 */
export function hasNoHoles(directory: string): boolean {
  try {
    return statfsSync(existing(directory)).type === tmpfs;
  } catch {
    return false;
  }
}

/** What a template of a machine of this size takes on disk, in MiB, at most. */
export function templateSizeMiB(directory: string, memoryMiB: number): number {
  if (hasNoHoles(directory)) return memoryMiB + 1;
  return Math.min(memoryMiB, Math.ceil(written + memoryMiB * described)) + 1;
}

/**
 * Why nothing can be written to the directory of templates; undefined when it can.
 * @param directory need not be there yet
 * @param onDiskMiB what is to be written
 * @param largestMiB the size of the largest file, holes included
 */
export function roomProblem(directory: string, onDiskMiB: number, largestMiB: number): string | undefined {
  const place = existing(directory);
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(place);
    const freeMiB = Math.floor((bavail * bsize) / 2 ** 20);
    if (freeMiB < onDiskMiB) return `${place} has ${freeMiB} MiB free, and ${onDiskMiB} MiB are needed`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return `${place} cannot be written to (${code})`;
  }
  return fileProblem(largestMiB);
}

/** What `runv check` says of them. @param settings undefined: none are wanted */
export function checkTemplates(settings: TemplateSettings | undefined, memoryMiB: number): Finding[] {
  if (settings === undefined) return [];
  const { directory } = settings;
  const problem = roomProblem(directory, templateSizeMiB(directory, memoryMiB), memoryMiB);
  if (problem === undefined) return [{ status: "ok", subject: "templates", detail: `there is room in ${directory}` }];
  const detail = `none can be made: ${problem}; each machine boots, which is slower`;
  return [{ status: "warning", subject: "templates", detail, fix: "--template DIR, or templates in config.toml" }];
}

/** The first directory above, or the path itself, that is there. */
function existing(path: string): string {
  return existsSync(path) || path === "/" ? path : existing(dirname(path));
}
