/** `runv list` */

import { RunvError } from "../base/error";
import type { Format, ListOptions } from "../container/options";
import { type Command, command } from "./command";
import type { Perform } from "./container";
import { bool, string } from "./flags";

/** Shared with `ps`. */
export const formatFlag = string("select one of: table or json", { short: "f", default: "table" });

export const list = (perform: Perform<ListOptions>): Command =>
  command({
    name: "list",
    summary: "lists containers started by runv with the given root",
    usage: `

Where the given root is specified via the global option "--root"
(default: "/run/runv").

EXAMPLE 1:
To list containers created via the default "--root":
       # runv list

EXAMPLE 2:
To list containers created using a non-default value for "--root":
       # runv --root value list`,
    flags: { format: formatFlag, quiet: bool("display only container IDs", { short: "q" }) },
    args: [0, 0],
    run: async ({ flags, global }) => perform({ global, format: parseFormat(flags.format), quiet: flags.quiet }),
  });

export function parseFormat(text: string): Format {
  if (text === "table" || text === "json") return text;
  throw new RunvError("USAGE", "invalid format option", { hint: "--format is table or json" });
}
