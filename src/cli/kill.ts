/** `runv kill` */

import { RunvError } from "../base/error";
import { quote } from "../base/escape";
import type { KillOptions } from "../container/options";
import { parseSignal } from "../linux/signals";
import { type Command, command } from "./command";
import { containerId, type Perform } from "./container";
import { bool } from "./flags";

export const kill = (perform: Perform<KillOptions>): Command =>
  command({
    name: "kill",
    summary: "kill sends the specified signal (default: SIGTERM) to the container's init process",
    usage: `<container-id> [signal]

Where "<container-id>" is the name for the instance of the container and
"[signal]" is the signal to be sent to the init process.

EXAMPLE:
For example, if the container id is "ubuntu01" the following will send a "KILL"
signal to the init process of the "ubuntu01" container:

       # runv kill ubuntu01 KILL`,
    flags: { all: bool("send the specified signal to all processes inside the container", { short: "a" }) },
    args: [1, 2],
    run: async ({ flags, args, global }) =>
      perform({ global, id: containerId(args[0]), signal: signal(args[1] || "TERM"), all: flags.all }),
  });

function signal(text: string): number {
  const number = parseSignal(text);
  if (number !== undefined) return number;
  throw new RunvError("SIGNAL_UNKNOWN", `unknown signal ${quote(text)}`);
}
