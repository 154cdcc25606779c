import { realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { RunvError } from "../base/error";
import type { BoundSource } from "../guest/lower/bind";
import { sharePath } from "../guest/places";
import { SystemError, syscall } from "../linux/local";
import { mountsBelow } from "../linux/mounts";
import type { Bundle } from "../oci/bundle";
import { isBind } from "../oci/mounts";
import type { SandboxClient } from "../sandbox/client";
import { openTree } from "../share/tree";
import type { RootView } from "./root-view";

/** Something of the host that a container is to see: its root file system, or the source of a bind mount. */
export interface SharedTree {
  /** On the host. */
  source: string;
  /** Below the share. */
  path: string;
  directory: boolean;
  recursive: boolean;
  /** The machine has its own: what is in /proc and /sys is of a kernel, and the container's is the machine's. */
  own: boolean;
  /** What it is, for errors: `mounts[3].source`. */
  field: string;
}

/** Where the guest finds a container's root file system. */
export function guestRootfs(id: string): string {
  return `${sharePath}/${id}/rootfs`;
}

/**
 * What of the host a container needs.
 * @throws RunvError MOUNT_SOURCE when the source of a bind mount is missing
 */
export function treesOf(id: string, { bundle, config, rootfs }: Bundle): SharedTree[] {
  const trees: SharedTree[] = [
    { source: rootfs, path: `${id}/rootfs`, directory: true, recursive: true, own: false, field: "root.path" },
  ];
  for (const [index, mount] of config.mounts.entries()) {
    if (!isBind(mount)) continue;
    const field = `mounts[${index}].source`;
    const source = resolve(bundle, mount.source ?? "");
    const directory = isDirectory(source, field);
    const recursive = mount.options.includes("rbind");
    trees.push({
      source,
      path: `${id}/${index}`,
      directory,
      recursive,
      own: /^\/(proc|sys)(\/|$)/.test(source),
      field,
    });
  }
  return trees;
}

/** For each bind mount, by its index in config.json, where the guest finds its source. */
export function sourcesOf(id: string, trees: readonly SharedTree[]): Map<number, BoundSource> {
  const mounts = trees.filter(({ field }) => field !== "root.path");
  return new Map(mounts.map((tree) => [Number(tree.path.slice(id.length + 1)), boundSource(tree)]));
}

/** What is mounted in a directory of the host is one with it on the share; in the guest it is a mount again. */
function boundSource({ source, path, directory, recursive, own }: SharedTree): BoundSource {
  const below = recursive && directory && !own ? mountsBelow(realpathSync(source)) : [];
  return { path: own ? source : `${sharePath}/${path}`, directory, ...(below.length > 0 && { below }) };
}

/** The same for the shim: the host's side of the container's file system. */
export function viewOf({ rootfs, config }: Bundle, trees: readonly SharedTree[]): RootView {
  const binds = trees.flatMap(({ source, recursive, own, field }) => {
    const mount = config.mounts[Number(/^mounts\[(\d+)\]/.exec(field)?.[1])];
    return mount === undefined || own ? [] : [{ source, destination: mount.destination, recursive }];
  });
  return { rootfs, binds };
}

/** Puts trees into the share of a sandbox. @throws RunvError MOUNT_SOURCE */
export async function shareTrees(sandbox: SandboxClient, trees: readonly SharedTree[]): Promise<void> {
  await Promise.all(
    trees
      .filter(({ own }) => !own)
      .map(async ({ source, path, directory, recursive, field }) => {
        const fd = takeTree(source, recursive, field);
        try {
          await sandbox.share({ fd, path, directory });
        } finally {
          syscall("close", fd);
        }
      }),
  );
}

function takeTree(source: string, recursive: boolean, field: string): number {
  try {
    return openTree(source, recursive);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new RunvError("MOUNT_SOURCE", `${field}: take ${source}: ${error.message}`, { cause: error });
  }
}

/** Whether the source is a directory. One that only this kernel can serve is refused. */
function isDirectory(source: string, field: string): boolean {
  const stat = statOf(source, field);
  if (!stat.isSocket() && !stat.isFIFO()) return stat.isDirectory();
  const kind = stat.isSocket() ? "socket" : "FIFO";
  throw new RunvError("MOUNT_SOURCE", `${field}: ${source} is a ${kind}: its other end is not in the virtual machine`, {
    hint: "what listens there can be reached over the network",
  });
}

function statOf(source: string, field: string) {
  try {
    return statSync(source);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new RunvError("MOUNT_SOURCE", `${field}: ${source}: ${code === "ENOENT" ? "does not exist" : message}`);
  }
}
