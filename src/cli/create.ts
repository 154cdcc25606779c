/** `runv create` */

import { resolve } from "node:path";
import type { GlobalOptions } from "../base/settings";
import type { CreateOptions } from "../container/options";
import { type Command, command } from "./command";
import { absolute, containerId, newContainer, type Perform, processFlags, refuseConsole } from "./container";
import { bool, type FlagValues, string } from "./flags";
import { orCreateFail } from "./runc-words";

/** Shared with `run`. `--no-pivot` says nothing, for the root is always a mount, and `--no-new-keyring` nothing in a VM: accepted, as callers pass them by habit. */
export const createFlags = {
  bundle: string("path to the root of the bundle directory, defaults to the current directory", { short: "b" }),
  ...processFlags,
  console: string("of runV 1.0; refused", { hidden: true }),
  "no-pivot": bool(
    "do not use pivot root to jail process inside rootfs.  This should be used whenever the rootfs is on top of a ramdisk",
  ),
  "no-new-keyring": bool(
    "do not create a new session keyring for the container.  This will cause the container to inherit the calling processes session key",
  ),
} as const;

export const bundleDescription = `creates an instance of a container for a bundle. The bundle
is a directory with a specification file named "config.json" and a root
filesystem.

The specification file includes an args parameter. The args parameter is used
to specify command(s) that get run when the container is started. To change the
command(s) that get executed on start, edit the args parameter of the spec. See
"runv spec --help" for more explanation.`;

export function createOptions(
  flags: FlagValues<typeof createFlags>,
  [id]: readonly string[],
  global: GlobalOptions,
): CreateOptions {
  refuseConsole(flags);
  return {
    global,
    id: containerId(id),
    bundle: resolve(flags.bundle ?? ""),
    consoleSocket: absolute(flags["console-socket"]),
    pidfdSocket: absolute(flags["pidfd-socket"]),
    pidFile: absolute(flags["pid-file"]),
    preserveFds: flags["preserve-fds"],
    noNewKeyring: flags["no-new-keyring"],
  };
}

export const create = (perform: Perform<CreateOptions>): Command =>
  command({
    name: "create",
    summary: "create a container",
    usage: newContainer,
    description: `The create command ${bundleDescription}`,
    flags: createFlags,
    args: [1, 1],
    run: ({ flags, args, global }) =>
      orCreateFail("runv create failed", async () => perform(createOptions(flags, args, global))),
  });
