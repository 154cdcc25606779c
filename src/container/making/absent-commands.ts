/**
 * Where a container's command is not. It is looked for in half a dozen directories, and on the share each step of each path is two
 * requests of the guest's, half a millisecond each under emulation, while the host sees it at once.
 */
import { closeSync, openSync } from "node:fs";
import { resolve } from "node:path";
import { isWithin } from "../../base/is-within";
import { candidatesOf } from "../../guest/lower/command";
import { openBeneath } from "../../linux/beneath";
import { O_CLOEXEC, O_DIRECTORY, O_PATH } from "../../linux/constants";
import { SystemError } from "../../linux/local";
import type { Bundle } from "../../oci/bundle";
import { isBind } from "../../oci/mounts";

/**
 * Those of the paths of a container's command at which there is nothing, whatever is mounted in the container. At the others the guest looks.
 * @returns none where that cannot be told, or all are: then the guest finds the words for it
 */
export function absentCommands({ config, rootfs }: Bundle): ReadonlySet<string> {
  const { process, mounts, hooks } = config;
  const candidates = candidatesOf(process);
  // These may still put files anywhere.
  const isFinal = [hooks.prestart, hooks.createRuntime, hooks.createContainer].every((list) => list.length === 0);
  if (candidates.length < 2 || !isFinal) return new Set();
  const root = openSync(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
  try {
    const places = mounts.map((mount) => ({ path: resolve("/", mount.destination), isBind: isBind(mount) }));
    const isCovered = (path: string) => places.some((place) => isWithin(path, place.path));
    // A symbolic link, of the root file system or of a volume, may lead anywhere.
    const mayBeElsewhere = ({ path }: { path: string }) =>
      places.some((place) => place.isBind && place.path !== path && isWithin(path, place.path)) ||
      look(root, path) === "unknown";
    if (places.some(mayBeElsewhere)) return new Set();
    const absent = candidates.filter(
      (path) => path.startsWith("/") && !isCovered(resolve(path)) && look(root, path) === "nothing",
    );
    return new Set(absent.length < candidates.length ? absent : []);
  } finally {
    closeSync(root);
  }
}

/** What is at a path in a root: unknown where the way leads over symbolic links. */
function look(root: number, path: string): "something" | "nothing" | "unknown" {
  try {
    closeSync(openBeneath(root, path.slice(1)));
    return "something";
  } catch (error) {
    return error instanceof SystemError && error.code === "ENOENT" ? "nothing" : "unknown";
  }
}
