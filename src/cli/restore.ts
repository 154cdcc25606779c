/** `runv restore` */

import { resolve } from "node:path";
import type { RestoreOptions } from "../container/restore";
import { type Command, command } from "./command";
import { absolute, containerId, newContainer, type Perform } from "./container";
import { bool, string } from "./flags";
import { type ImageFlags, imageFlags, imagePath, refuseOfImage } from "./image-flags";

const refused = {
  "lsm-profile": "the guest has no security modules",
  "lsm-mount-context": "the guest has no security modules",
} as const;

export const restore = (perform: Perform<RestoreOptions>): Command =>
  command({
    name: "restore",
    summary: "restore a container from a previous checkpoint",
    usage: newContainer,
    description: `The restore command has a container go on that "runv checkpoint" saved, in a
virtual machine of its own.`,
    flags: {
      ...imageFlags,
      "console-socket": string(
        "path to an AF_UNIX socket which will receive a file descriptor referencing the master end of the console's pseudoterminal",
      ),
      bundle: string("path to the root of the bundle directory", { short: "b" }),
      detach: bool("detach from the container's process", { short: "d" }),
      "pid-file": string("specify the file to write the process id to"),
      "no-subreaper": bool("disable the use of the subreaper used to reap reparented processes"),
      "no-pivot": bool("do not use pivot root to jail process inside rootfs"),
      "lsm-profile": string("specify an LSM profile to be used during restore in the form of TYPE:NAME"),
      "lsm-mount-context": string("specify an LSM mount context to be used during restore"),
    },
    args: [1, 1],
    run: async ({ flags, args: [id], global }) => {
      refuseOfImage(flags as ImageFlags, refused);
      return perform({
        ...{ global, id: containerId(id), image: imagePath(flags["image-path"]), bundle: resolve(flags.bundle ?? "") },
        ...{ consoleSocket: absolute(flags["console-socket"]), pidFile: absolute(flags["pid-file"]) },
        ...{ pidfdSocket: undefined, preserveFds: 0, detach: flags.detach, keep: false },
      });
    },
  });
