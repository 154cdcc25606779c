/** `runv checkpoint` */
import { resolve } from "node:path";
import { RunvError } from "../base/error";
import type { CheckpointOptions } from "../container/checkpoint";
import { type Command, command } from "./command";
import { containerId, existingContainer, type Perform } from "./container";
import { bool, string } from "./flags";
import { type ImageFlags, imageFlags, imagePath, refuseOfImage } from "./image-flags";

/** Of CRIU: they are for memory that is saved piece by piece, or sent elsewhere. */
const refused = {
  "parent-path": "there are no images that lean on others",
  "page-server": "memory is written to the image, and sent nowhere",
  "status-fd": "memory is written to the image, and sent nowhere",
  "pre-dump": "memory is saved at once",
} as const;

export const checkpoint = (
  perform: Perform<CheckpointOptions>,
  show: (directory: string) => Promise<number>,
): Command =>
  command({
    name: "checkpoint",
    summary: "checkpoint a running container",
    usage: existingContainer,
    description: `The checkpoint command saves the state of the container instance: its virtual
machine as it stands, into files from which "runv restore" goes on.

"runv checkpoint --show DIR" says what an image is.`,
    flags: {
      ...imageFlags,
      "parent-path": string("path for previous criu image files in pre-dump"),
      "leave-running": bool("leave the process running after checkpointing"),
      "page-server": string("ADDRESS:PORT of the page server"),
      "status-fd": string("criu writes \\0 to this FD once lazy-pages is ready"),
      "pre-dump": bool("dump container's memory information only, leave the container running after this"),
      "tcp-skip-in-flight": bool("skip in-flight tcp connections"),
      "link-remap": bool("allow one to link unlinked files back when possible"),
      show: string("path of an image, of which is told what it is"),
    },
    args: [0, 1],
    run: async ({ flags, args: [id], global }) => {
      if (flags.show !== undefined && id === undefined) return show(resolve(flags.show));
      if (id === undefined) throw new RunvError("USAGE", '"runv checkpoint" requires exactly 1 argument(s)');
      refuseOfImage(flags as ImageFlags, refused);
      return perform({
        ...{ global, id: containerId(id), image: imagePath(flags["image-path"]) },
        leaveRunning: flags["leave-running"],
      });
    },
  });
