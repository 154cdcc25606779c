/** Runs one command line: the flags before the command, the command's own, and the command. */
import { resolve } from "node:path";
import { openLog } from "../base/log";
import { print } from "../base/output";
import type { GlobalOptions } from "../base/settings";
import { span, traceTo } from "../base/trace";
import { programName } from "../base/version";
import { argumentProblem, type Command } from "./command";
import { allCommands, findCommand } from "./commands";
import { Failure } from "./failure";
import { bool, type Flags } from "./flags";
import { globalFlags, globalOptions } from "./global";
import { type Parsed, parseFlags, usage } from "./parse";

const helpFlag = { help: bool("show help", { short: "h", hidden: true }) } as const;
const versionFlag = { version: bool("print the version", { short: "v", hidden: true }) } as const;

/** Runs the command line (without the program's name) and returns the exit code. */
export async function dispatch(argv: readonly string[]): Promise<number> {
  const { flags, args } = await parseOrHelp(
    { ...globalFlags, ...helpFlag, ...versionFlag },
    argv,
    false,
    ".",
    mainHelp,
  );
  if (flags.help) return show(mainHelp);
  if (flags.version) return show(async () => `${programName} version ${(await import("./help")).versionText()}\n`);
  const global = globalOptions(flags);
  if (flags.trace) traceTo(resolve(flags.trace));
  openLog({ file: global.log, format: global.logFormat, debug: global.debug });
  const [name, ...rest] = args;
  if (name === undefined) return show(mainHelp);
  if (name === "help" || name === "h") return showHelpOf(rest[0]);
  return runCommand(await commandNamed(name), rest, global);
}

async function runCommand(command: Command, argv: readonly string[], global: GlobalOptions): Promise<number> {
  const help = async () => (await import("./help")).commandHelp(command);
  const flagsLast = command.flagsFirst !== true;
  const { flags, args } = await parseOrHelp({ ...command.flags, ...helpFlag }, argv, flagsLast, ":", help);
  if (flags.help) return show(help);
  const problem = argumentProblem(command, args.length);
  if (problem === undefined) return await span(`runv ${command.name}`, () => command.run({ flags, args, global }));
  print(`Incorrect Usage.\n\n${await help()}`);
  throw usage(problem);
}

async function parseOrHelp<F extends Flags>(
  flags: F,
  argv: readonly string[],
  interspersed: boolean,
  mark: "." | ":",
  help: () => Promise<string>,
): Promise<Parsed<F>> {
  try {
    return parseFlags(flags, argv, interspersed);
  } catch (error) {
    print(`Incorrect Usage${mark} ${(error as Error).message}\n\n${await help()}`);
    throw error;
  }
}

async function showHelpOf(name: string | undefined): Promise<number> {
  if (name === undefined) return show(mainHelp);
  const command = await commandNamed(name);
  return show(async () => (await import("./help")).commandHelp(command));
}

async function commandNamed(name: string): Promise<Command> {
  const command = await findCommand(name);
  if (command === undefined) throw new Failure(usage(`No help topic for '${name}'`), { exitCode: 3 });
  return command;
}

async function mainHelp(): Promise<string> {
  return (await import("./help")).mainHelp(await allCommands());
}

async function show(text: () => Promise<string>): Promise<number> {
  print(await text());
  return 0;
}
