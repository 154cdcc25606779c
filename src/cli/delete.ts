/** `runv delete` */

import type { DeleteOptions } from "../container/options";
import { type Command, command } from "./command";
import { containerId, existingContainer, type Perform } from "./container";
import { bool } from "./flags";

export const deleteContainer = (perform: Perform<DeleteOptions>): Command =>
  command({
    name: "delete",
    summary: "delete any resources held by the container often used with detached container",
    usage: `${existingContainer}

EXAMPLE:
For example, if the container id is "ubuntu01" and runv list currently shows the
status of "ubuntu01" as "stopped" the following will delete resources held for
"ubuntu01" removing "ubuntu01" from the runv list of containers:

       # runv delete ubuntu01`,
    flags: {
      force: bool("Forcibly deletes the container if it is still running (uses SIGKILL)", { short: "f" }),
    },
    args: [1, 1],
    run: async ({ flags, args, global }) => perform({ global, id: containerId(args[0]), force: flags.force }),
  });
