/** Which owners the files of a mount are to show: config.md, "Mounts", `uidMappings` and the options `idmap`, `ridmap`. */
import { RunvError } from "../../base/error";
import { SystemError } from "../../linux/local";
import type { Config } from "../../oci/config";
import { idMapOptions } from "../../oci/mount-options";
import { isIdMapped, type Mount } from "../../oci/mounts";
import { type IdMap, mapIds } from "../../share/id-map";

/** The mapping of a mount, and whether it holds for the mounts below it, too. */
export interface MountIdMap {
  map: IdMap;
  recursive: boolean;
}

/** The owners that a mount is to show: its own mappings, or with an option those of the container. @throws RunvError CONFIG_UNSUPPORTED */
export function idMapOf({ linux }: Config, index: number, mount: Mount): MountIdMap | undefined {
  const { uidMappings, gidMappings } = mount.uidMappings === undefined ? linux : mount;
  if (mount.uidMappings === undefined && !isIdMapped(mount)) return undefined;
  if (uidMappings === undefined || gidMappings === undefined) {
    const what = "idmap without mappings takes those of the container's user namespace, which has none";
    throw new RunvError("CONFIG_UNSUPPORTED", `mounts[${index}].options: ${what}`);
  }
  const recursive = mount.options.findLast((option) => idMapOptions.includes(option)) === "ridmap";
  return { map: { uids: uidMappings, gids: gidMappings }, recursive };
}

/** Maps the ids of a detached tree. @param what it is, for errors @throws RunvError MOUNT_IDMAP */
export function mapTree(tree: number, namespace: number, recursive: boolean, what: string): void {
  try {
    mapIds(tree, namespace, recursive);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new RunvError("MOUNT_IDMAP", `${what}: map its ids: ${error.message}`, {
      cause: error,
      hint: "its file system cannot have that (an overlay, a network's), or it has mapped ids already",
    });
  }
}
