/** `runv pause` */

import type { ContainerOptions } from "../container/options";
import { type Command, command } from "./command";
import { containerId, existingContainer, type Perform } from "./container";

export const pause = (perform: Perform<ContainerOptions>): Command =>
  command({
    name: "pause",
    summary: "pause suspends all processes inside the container",
    usage: existingContainer,
    description: `The pause command suspends all processes in the instance of the container.

Use runv list to identify instances of containers and their current status.`,
    flags: {},
    args: [1, 1],
    run: async ({ args, global }) => perform({ global, id: containerId(args[0]) }),
  });
