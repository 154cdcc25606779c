/** The sources of bind mounts: paths of this host, and those whose files are to show other owners as mounts that have that done. */
import { closeSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { RunvError } from "../../base/error";
import { fileProblem } from "../../base/file-problem";
import type { BoundSource } from "../../guest/lower/bind";
import { AT_FDCWD, AT_RECURSIVE, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from "../../linux/constants";
import { syscall } from "../../linux/local";
import type { Bundle } from "../../oci/bundle";
import { isBind } from "../../oci/mounts";
import { idMapNamespace } from "../../share/id-map";
import { sourceInRoot, takenBackOf } from "../making/earlier-mounts";
import { idMapOf, type MountIdMap, mapTree } from "../making/id-map";
import type { GivenDescriptors } from "./process";

/**
 * What each bind mount mounts, which by itself has the options of its source's mount: a user namespace cannot have it without.
 * @param given what the container's first process gets
 * @param opened what is to be closed again
 * @throws RunvError MOUNT_SOURCE, MOUNT_IDMAP, CONFIG_UNSUPPORTED
 */
export async function openSources(
  loaded: Bundle,
  given: GivenDescriptors,
  opened: number[],
): Promise<Map<number, BoundSource>> {
  const { bundle, config } = loaded;
  const sources = new Map<number, BoundSource>();
  for (const [index, mount] of config.mounts.entries()) {
    if (!isBind(mount)) continue;
    const made = sourceInRoot(loaded, index);
    if (made !== undefined) {
      sources.set(index, made);
      continue;
    }
    const path = resolve(bundle, mount.source ?? "");
    const field = `mounts[${index}].source: ${path}`;
    const source: BoundSource = { path, directory: isDirectory(path, field), inherited: takenBackOf(loaded, index) };
    const idMap = idMapOf(config, index, mount);
    if (idMap !== undefined) {
      const tree = await mappedTree(path, mount.options.includes("rbind"), idMap, field);
      opened.push(tree);
      source.given = given.give(tree);
    }
    sources.set(index, source);
  }
  return sources;
}

function isDirectory(path: string, field: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    throw new RunvError("MOUNT_SOURCE", `${field}: ${fileProblem(cause)}`, { cause });
  }
}

/** @returns a detached mount */
async function mappedTree(path: string, recursive: boolean, idMap: MountIdMap, field: string): Promise<number> {
  const namespace = await idMapNamespace(idMap.map, []);
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  let tree: number | undefined;
  try {
    tree = syscall("open_tree", AT_FDCWD, path, flags);
    mapTree(tree, namespace, idMap.recursive, field);
    return tree;
  } catch (error) {
    if (tree !== undefined) closeSync(tree);
    throw error;
  } finally {
    closeSync(namespace);
  }
}
