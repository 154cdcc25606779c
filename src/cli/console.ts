/** `runv console` */

import type { ConsoleOptions } from "../container/options";
import { type Command, command } from "./command";
import { containerId, existingContainer, type Perform } from "./container";
import { bool } from "./flags";

export const consoleLog = (perform: Perform<ConsoleOptions>): Command =>
  command({
    name: "console",
    summary: "print what the kernel of the container's VM wrote to its console",
    usage: existingContainer,
    flags: { follow: bool("go on printing until the VM ends", { short: "f" }) },
    args: [1, 1],
    run: async ({ flags, args, global }) => perform({ global, id: containerId(args[0]), follow: flags.follow }),
  });
