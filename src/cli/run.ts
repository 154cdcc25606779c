/** `runv run` */
import { resolve } from "node:path";
import { traceTo } from "../base/trace";
import type { RunOptions } from "../container/options";
import { type Command, command } from "./command";
import { newContainer, type Perform } from "./container";
import { bundleDescription, createFlags, createOptions } from "./create";
import { bool } from "./flags";
import { globalFlags } from "./global";
import { orCreateFail } from "./runc-words";

export const run = (perform: Perform<RunOptions>): Command =>
  command({
    name: "run",
    summary: "create and run a container",
    usage: newContainer,
    description: `The run command ${bundleDescription}`,
    flags: {
      ...createFlags,
      detach: bool("detach from the container's process", { short: "d" }),
      keep: bool("do not delete the container after it exits"),
      trace: globalFlags.trace,
      "no-subreaper": bool("disable the use of the subreaper used to reap reparented processes"),
    },
    args: [1, 1],
    run: ({ flags, args, global }) =>
      orCreateFail("runv run failed", async () => {
        if (flags.trace) traceTo(resolve(flags.trace));
        return perform({
          ...createOptions(flags, args, global),
          detach: flags.detach,
          keep: flags.keep,
        });
      }),
  });
