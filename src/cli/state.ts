/** `runv state` */

import type { ContainerOptions } from "../container/options";
import { type Command, command } from "./command";
import { containerId, existingContainer, type Perform } from "./container";

export const state = (perform: Perform<ContainerOptions>): Command =>
  command({
    name: "state",
    summary: "output the state of a container",
    usage: existingContainer,
    description: `The state command outputs current state information for the
instance of a container.`,
    flags: {},
    args: [1, 1],
    run: async ({ args, global }) => perform({ global, id: containerId(args[0]) }),
  });
