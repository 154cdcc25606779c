/** `runv ctr`, also called runv-ctr: containerd 0.2's client. */

import { messageOf, RunvError } from "../../base/error";
import { print, writeAll } from "../../base/output";
import type { ApiClient } from "../../containerd/client";
import { describeFailure } from "../../containerd/failure-text";
import { command } from "../command";
import { defaultAddress } from "../containerd";
import { bool, type FlagValues, string } from "../flags";
import { parseFlags, usage } from "../parse";
import { parseDuration } from "../values";
import { checkpoints } from "./checkpoints";
import { containers } from "./containers";
import { events } from "./events";
import { state, version } from "./state";
import { CtrFailure, commandLines, ctrHelp, type Group, type Subcommand } from "./subcommand";

const flags = {
  debug: bool("enable debug output in the logs"),
  address: string("proto://address of GRPC API", { default: defaultAddress }),
  "conn-timeout": string("GRPC connection timeout", { default: "1s" }),
} as const;

/** All its commands. */
export const ctrCommands: Group = {
  name: "ctr",
  summary: "a client of runv-containerd, as containerd 0.2 has it",
  commands: [checkpoints, containers, events, state, version],
};

export const ctr = command({
  name: ctrCommands.name,
  summary: ctrCommands.summary,
  usage: `COMMAND [command options] [arguments...]

COMMANDS:
   ${commandLines(ctrCommands)}`,
  flags,
  args: [0, Number.POSITIVE_INFINITY],
  flagsFirst: true,
  run: async ({ flags, args }) => {
    try {
      const [name] = args;
      if (name === undefined || name === "help" || name === "h") return showHelp(ctrCommands, [ctrCommands.name]);
      return await runIn([ctrCommands.name], ctrCommands, args, flags);
    } catch (error) {
      if (error instanceof RunvError && error.code === "USAGE") throw error;
      writeAll(2, `[ctr] ${describeFailure(error) ?? messageOf(error)}\n`);
      return 1;
    }
  },
});

/** Finds the command, and runs it. A group without one runs what it has for that. */
async function runIn(
  path: readonly string[],
  group: Group,
  [name = "", ...rest]: readonly string[],
  global: FlagValues<typeof flags>,
): Promise<number> {
  const found = group.commands.find((command) => command.name === name);
  if (found === undefined) throw usage(`No help topic for '${[...path.slice(1), name].join(" ")}'`);
  const here = [...path, name];
  if (!("commands" in found)) return await runCommand(here, found, rest, global);
  const [next] = rest;
  if (next === "help" || next === "h" || next === "--help" || next === "-h") return showHelp(found, here);
  if (found.commands.some((command) => command.name === next)) return await runIn(here, found, rest, global);
  if (found.otherwise === undefined) return showHelp(found, here);
  return await runCommand(here, found.otherwise, rest, global);
}

async function runCommand(
  path: readonly string[],
  subcommand: Subcommand,
  argv: readonly string[],
  global: FlagValues<typeof flags>,
): Promise<number> {
  const help = { help: bool("show help", { short: "h", hidden: true }) } as const;
  const parsed = parseFlags({ ...subcommand.flags, ...help }, argv, subcommand.flagsFirst !== true);
  if (parsed.flags.help) return showHelp(subcommand, path);
  const client = await connect(global);
  try {
    return await subcommand.run({ client, flags: parsed.flags, args: parsed.args });
  } finally {
    client.close();
  }
}

async function connect(values: FlagValues<typeof flags>): Promise<ApiClient> {
  const { address } = values;
  const [, scheme, path] = /^(\w+):\/\/(.*)$/.exec(address) ?? [];
  if (scheme === undefined || path === undefined) {
    throw new CtrFailure(`bad bind address format ${address}, expected proto://address`);
  }
  if (scheme !== "unix") throw new CtrFailure(`${address}: the API is served on unix sockets only`);
  const timeout = parseDuration(values["conn-timeout"]);
  if (timeout === undefined) throw usage(`invalid value for flag -conn-timeout: ${values["conn-timeout"]}`);
  const { ApiClient } = await import("../../containerd/client");
  const client = new ApiClient(path);
  try {
    await client.connect(timeout);
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

function showHelp(of: Group | Subcommand, path: readonly string[]): number {
  print(ctrHelp(of, path));
  return 0;
}
