/** Mounts are made in the order of config.json, and each sees what those before it have made: config.md, "Mounts", and runc. */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { RunvError } from "../../base/error";
import { isWithin } from "../../base/is-within";
import type { BoundSource } from "../../guest/lower/bind";
import { sortMountOptions } from "../../guest/lower/mount-flags";
import { type Bundle, pathInRoot } from "../../oci/bundle";
import { isBind, isIdMapped } from "../../oci/mounts";
import { findNamespace } from "../../oci/namespaces";

/** What a mount has of its source's mount, taken back: as with runc, where it has such options of its own, but for `ro`. */
const takenBack = ["suid", "dev", "exec", "symfollow"];

/** The options for a bind mount that has by itself those of its source's mount: in a user namespace it cannot be without. */
export function takenBackOf({ config: { mounts, linux } }: Bundle, index: number): readonly string[] {
  const { set, clear } = sortMountOptions(mounts[index]!.options).attributes;
  return findNamespace(linux.namespaces, "user") !== undefined || (set === 0 && clear === 0) ? [] : takenBack;
}

/**
 * The source of a bind mount that an earlier mount has made, or a part of it: where the container is made it is in the root, and the host may have
 * something else there, or nothing.
 * @returns undefined for a source of the host
 * @throws RunvError CONFIG_UNSUPPORTED when its ids are to be mapped
 */
export function sourceInRoot(bundle: Bundle, index: number): BoundSource | undefined {
  const { mounts } = bundle.config;
  const mount = mounts[index]!;
  if (!isBind(mount)) return undefined;
  const recursive = mount.options.includes("rbind");
  const places = mounts.slice(0, index).map(({ destination }) => resolve("/", destination));
  const isMade = (path: string) =>
    places.some((place) => isWithin(path, place) || (recursive && isWithin(place, path)));
  const path = namesOf(resolve(bundle.bundle, mount.source ?? ""))
    .map((name) => pathInRoot(bundle, name))
    .find((path) => path !== undefined && isMade(path));
  if (path === undefined) return undefined;
  if (mount.uidMappings !== undefined || isIdMapped(mount)) {
    const what = `${mount.source} is what earlier mounts make in the container: its ids cannot be mapped`;
    throw new RunvError("CONFIG_UNSUPPORTED", `mounts[${index}]: ${what}`, {
      hint: "map those of the mount whose source is the host's",
    });
  }
  return { path, inRoot: true, inherited: takenBackOf(bundle, index) };
}

/** A path, and without its links where there is something on the host. */
function namesOf(path: string): string[] {
  try {
    return [path, realpathSync(path)];
  } catch {
    return [path];
  }
}
