/** `runv branch` */

import { resolve } from "node:path";
import { RunvError } from "../base/error";
import { quote } from "../base/escape";
import type { BranchOptions } from "../container/branch";
import { parseSignal } from "../linux/signals";
import { type Command, command } from "./command";
import { absolute, containerId, type Perform } from "./container";
import { string } from "./flags";

export const branch = (perform: Perform<BranchOptions>): Command =>
  command({
    name: "branch",
    summary: "make running copies of a running container",
    usage: `<container-id> <new-id>...

Where "<container-id>" is the name for the instance of the container that is
copied, and each "<new-id>" the name for a copy.`,
    description: `The branch command makes containers that are copies of a running one: with its
processes as they are, its memory, copy-on-write, a copy of its root file
system, and a network namespace, random numbers and a host name of their own.
They go on where the original stands, which goes on as well. In each the file
/run/runv/branch tells that it is a copy, and of what.

The virtual machine of the original must have been forked itself, from the
process of its template, as software emulation has it by default.

EXAMPLE:
       # runv branch python01 python02 python03
       # runv exec python02 hostname`,
    flags: {
      bundle: string("path to the bundle of the one copy, whose root file system is taken as it is", { short: "b" }),
      signal: string("signal for the first process of each copy, before it goes on"),
      "console-socket": string(
        "path to an AF_UNIX socket which will receive the terminal of the one copy, where the original has one",
      ),
      "pid-file": string("specify the file to write the process id of the one copy to"),
    },
    args: [2, Number.POSITIVE_INFINITY],
    run: async ({ flags, args: [of, ...ids], global }) => {
      const forOne = ["bundle", "console-socket", "pid-file"] as const;
      const given = forOne.find((flag) => flags[flag] !== undefined);
      if (given !== undefined && ids.length > 1)
        throw new RunvError("USAGE", `--${given} is for one copy, and ${ids.length} are asked for`);
      return perform({
        ...{ global, id: containerId(of), ids: ids.map(containerId) },
        bundle: flags.bundle === undefined ? undefined : resolve(flags.bundle),
        signal: flags.signal === undefined ? 0 : signalOf(flags.signal),
        consoleSocket: absolute(flags["console-socket"]),
        pidFile: absolute(flags["pid-file"]),
      });
    },
  });

function signalOf(text: string): number {
  const number = parseSignal(text);
  if (number !== undefined) return number;
  throw new RunvError("SIGNAL_UNKNOWN", `unknown signal ${quote(text)}`);
}
