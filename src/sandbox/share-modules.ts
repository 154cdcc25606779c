/** The modules that a guest's kernel may ask for by itself: they stay on the host, and the guest reads them from the share. */
import { closeSync, existsSync, openSync } from "node:fs";
import { modulesDirectory } from "../image/paths";
import { MOUNT_ATTR_RDONLY } from "../linux/constants";
import type { Share } from "../share/share";
import { openTree, restrictTree } from "../share/tree";

/** Where they are in the share; no container's id has such a sign. As guest/modprobe.c has it. */
const place = "@guest/modules";

/**
 * Attaches those that belong to an initrd, read-only; an image without any has none.
 * @param release of its kernel
 * @throws SystemError
 */
export function shareModules(share: Share, initrd: string, release: string): void {
  const directory = modulesDirectory(initrd, release);
  if (!existsSync(directory)) return;
  const opened = openSync(directory, "r");
  try {
    const tree = openTree(opened, false);
    try {
      restrictTree(tree, { root: { set: MOUNT_ATTR_RDONLY, clear: 0 }, all: { set: 0, clear: 0 } });
      share.attach(tree, place, true);
    } finally {
      closeSync(tree);
    }
  } finally {
    closeSync(opened);
  }
}
