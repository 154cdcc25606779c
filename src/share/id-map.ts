/** Id-mapped mounts (mount_setattr(2), MOUNT_ATTR_IDMAP): files are shown with other owners than they have. */
import { openSync, writeFileSync } from "node:fs";
import { messageOf, RunvError } from "../base/error";
import { firstId, idCount } from "../hypervisor/confinement";
import { spawnProgram } from "../hypervisor/spawn-program";
import { CLONE_NEWUSER, MOUNT_ATTR_IDMAP } from "../linux/constants";
import type { IdMapping } from "../oci/ids";
import { Assembler } from "../program/assembler";
import { changeAttributes } from "./tree";

/** Which owner on disk (containerID) is shown as which (hostID), as config.json has it. */
export interface IdMap {
  uids: readonly IdMapping[];
  gids: readonly IdMapping[];
}

/** Who serves a share may have one of these ids, and makes files as itself before it gives them to their owners. */
export const servers: IdMapping = { containerID: firstId, hostID: firstId, size: idCount };

/**
 * Makes the user namespace by which a mount is id-mapped.
 * @param besides further mappings, each where none of the others has any of its ids
 * @returns its descriptor
 * @throws RunvError MOUNT_IDMAP when the kernel refuses the mappings
 */
export async function idMapNamespace({ uids, gids }: IdMap, besides: readonly IdMapping[]): Promise<number> {
  const p = new Assembler();
  p.syscall("unshare", [CLONE_NEWUSER]);
  const byte = p.zeroed(8);
  p.syscall("write", [1, byte, 1]);
  // Until it is killed, or whoever started it is.
  p.syscall("read", [0, byte, 1]);
  p.syscall("exit_group", [0]);
  const child = spawnProgram(p.assemble(), ["pipe", "pipe", "ignore"]);
  try {
    await child.stdout.getReader().read();
    for (const [name, mappings] of [
      ["uid_map", uids],
      ["gid_map", gids],
    ] as const) {
      writeFileSync(`/proc/${child.pid}/${name}`, linesOf(mappings, besides));
    }
    return openSync(`/proc/${child.pid}/ns/user`, "r");
  } catch (cause) {
    throw new RunvError("MOUNT_IDMAP", `map the ids of a mount: ${messageOf(cause)}`, { cause });
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

function linesOf(mappings: readonly IdMapping[], besides: readonly IdMapping[]): string {
  const overlap = (one: IdMapping, other: IdMapping) =>
    [one.containerID, one.hostID].some((first) => first < other.hostID + other.size && first + one.size > other.hostID);
  const more = besides.filter((one) => !mappings.some((other) => overlap(other, one)));
  return [...mappings, ...more].map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
}

/**
 * Maps the ids of a detached tree.
 * @param recursive of all mounts in it
 * @throws SystemError EINVAL where a file system cannot have that, or it has been done already
 */
export function mapIds(tree: number, namespace: number, recursive: boolean): void {
  changeAttributes(tree, { set: MOUNT_ATTR_IDMAP, clear: 0 }, recursive, 0, namespace);
}
