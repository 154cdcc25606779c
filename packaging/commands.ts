/** The programs of the package and all their commands, as the tables of src/cli have them: manuals and completions are made from this. */
import { version } from "../package.json";
import type { Command } from "../src/cli/command";
import { allCommands, findCommand } from "../src/cli/commands";
import { newContainer } from "../src/cli/container";
import { ctrCommands } from "../src/cli/ctr/ctr";
import type { Group, Subcommand } from "../src/cli/ctr/subcommand";
import type { Flag, Flags } from "../src/cli/flags";
import { globalFlags } from "../src/cli/global";

export { version };

export interface Documented {
  /** As it is called: `["runv", "image"]`. */
  path: readonly string[];
  summary: string;
  /** What stands after the name. */
  usage: string;
  description: string;
  flags: Flags;
  commands: readonly Documented[];
  /** What its first argument can be, where it is none of `commands`. */
  words: readonly string[];
  /** Whether its first argument, or its second after one of `words`, is a container that exists. */
  container: boolean;
}

const shown = (flags: Flags): Flags =>
  Object.fromEntries(Object.entries(flags).filter(([, flag]) => flag.hidden !== true));

/** Text that follows the arguments of a usage is a description. */
function fromCommand(
  { name, summary, usage = "", description = "", flags, words = [] }: Command,
  path: string[],
): Documented {
  const [first = "", ...rest] = usage.split("\n\n");
  return {
    path: [...path, name],
    summary,
    usage: first,
    description: [...rest, description].filter(Boolean).join("\n\n"),
    flags: shown(flags),
    commands: name === "ctr" ? ctrTree([...path, name]) : [],
    words,
    container: usage.includes("<container-id>") && usage !== newContainer,
  };
}

const ctrTree = (path: readonly string[]) => ctrCommands.commands.map((each) => fromCtr(each, path));

function fromCtr(of: Group | Subcommand, above: readonly string[]): Documented {
  const path = [...above, of.name];
  const base = { path, summary: of.summary, description: "", words: [], container: false };
  if ("commands" in of) {
    return {
      ...base,
      usage: "COMMAND [arguments...]",
      flags: shown(of.otherwise?.flags ?? {}),
      commands: of.commands.map((each) => fromCtr(each, path)),
    };
  }
  return { ...base, usage: of.usage ?? "[arguments...]", flags: shown(of.flags), commands: [] };
}

/** runv itself, and the two links by which `runv containerd` and `runv ctr` are called. */
export async function programs(): Promise<Documented[]> {
  const commands = (await allCommands()).filter(({ hidden }) => hidden !== true);
  const runv: Documented = {
    path: ["runv"],
    summary: "run containers in virtual machines, as an OCI runtime",
    usage: "command [command options] [arguments...]",
    description: "",
    flags: shown(globalFlags),
    commands: commands.map((command) => fromCommand(command, ["runv"])),
    words: [],
    container: false,
  };
  const links = ["containerd", "ctr"].map(async (name) => {
    const documented = fromCommand((await findCommand(name))!, []);
    const path = [`runv-${name}`];
    return { ...documented, path, commands: name === "ctr" ? ctrTree(path) : [] };
  });
  return [runv, ...(await Promise.all(links))];
}

/** A command and all below it. */
export function withAllBelow(command: Documented): Documented[] {
  return [command, ...command.commands.flatMap(withAllBelow)];
}

export type FlagContent = { choices: readonly string[] } | "files" | "directories" | "anything" | "none";

/** What the value of a flag can be, as its words for the help tell: `'text' (default), or 'json'` and `one of: table or json` are choices. */
export function contentOf({ kind, usage }: Flag): FlagContent {
  if (kind === "bool") return "none";
  if (kind !== "string") return "anything";
  const listed =
    /one of: (.*)$/.exec(usage)?.[1]?.split(/, | or /) ?? [...usage.matchAll(/'([\w-]+)'/g)].map(([, word]) => word!);
  if (listed.length > 1) return { choices: listed };
  return /director/.test(usage) ? "directories" : "files";
}

/** How a flag can be written. */
export const namesOf = ([name, { short }]: [string, Flag]): string[] => [
  `--${name}`,
  ...(short === undefined ? [] : [`-${short}`]),
];
