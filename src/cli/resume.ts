/** `runv resume` */

import type { ContainerOptions } from "../container/options";
import { type Command, command } from "./command";
import { containerId, existingContainer, type Perform } from "./container";

export const resume = (perform: Perform<ContainerOptions>): Command =>
  command({
    name: "resume",
    summary: "resumes all processes that have been previously paused",
    usage: existingContainer,
    description: `The resume command resumes all processes in the instance of the container.

Use runv list to identify instances of containers and their current status.`,
    flags: {},
    args: [1, 1],
    run: async ({ args, global }) => perform({ global, id: containerId(args[0]) }),
  });
