/** `runv start` */

import type { ContainerOptions } from "../container/options";
import { type Command, command } from "./command";
import { containerId, existingContainer, type Perform } from "./container";

export const start = (perform: Perform<ContainerOptions>): Command =>
  command({
    name: "start",
    summary: "executes the user defined process in a created container",
    usage: existingContainer,
    description: `The start command executes the user defined process in a created container.`,
    flags: {},
    args: [1, 1],
    run: async ({ args, global }) => perform({ global, id: containerId(args[0]) }),
  });
