import type { PsOptions } from "../container/options";
import { type Command, command } from "./command";
import { containerId, type Perform } from "./container";
import { formatFlag, parseFormat } from "./list";

export const ps = (perform: Perform<PsOptions>): Command =>
  command({
    name: "ps",
    summary: "ps displays the processes running inside a container",
    usage: "<container-id> [ps options]",
    flags: { format: formatFlag },
    args: [1, Number.POSITIVE_INFINITY],
    flagsFirst: true,
    run: async ({ flags, args: [id, ...rest], global }) =>
      perform({
        global,
        id: containerId(id),
        format: parseFormat(flags.format),
        psArgs: rest.length > 0 ? rest : ["-ef"],
      }),
  });
