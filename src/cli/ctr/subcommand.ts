/** The commands of `runv ctr`: they have groups, and flags of their own. */
import type { ApiClient } from "../../containerd/client";
import type { Flags, FlagValues } from "../flags";
import { flagTable } from "../help";

export interface SubcommandContext<F extends Flags> {
  client: ApiClient;
  flags: FlagValues<F>;
  args: string[];
}

export interface Subcommand<F extends Flags = Flags> {
  name: string;
  summary: string;
  /** The arguments, as the help shows them. */
  usage?: string;
  flags: F;
  /** Flags end at the first argument: what follows belongs to another program. */
  flagsFirst?: boolean;
  run(context: SubcommandContext<F>): Promise<number>;
}

/** Several commands below a name. */
export interface Group {
  name: string;
  summary: string;
  commands: readonly (Subcommand | Group)[];
  /** What the name alone does, or with what is none of the commands. */
  otherwise?: Subcommand;
}

/** Declares a command; its flag table gives the types of `context.flags`. */
export function subcommand<F extends Flags>(definition: Subcommand<F>): Subcommand {
  return definition as unknown as Subcommand;
}

/** Why the client gives up: printed after `[ctr] `, in containerd's words. */
export class CtrFailure extends Error {
  override readonly name = "CtrFailure";
}

/** An argument that must be there. @throws CtrFailure */
export function required(argument: string | undefined, name: string): string {
  if (argument === undefined || argument === "") throw new CtrFailure(`${name} cannot be empty`);
  return argument;
}

/** The help of a command, or of a group. @param path how it is called */
export function ctrHelp(of: Group | Subcommand, path: readonly string[]): string {
  const call = path.join(" ");
  if (!("commands" in of)) {
    const options = flagTable(of.flags);
    const usage = `${call}${options && " [command options]"} ${of.usage ?? "[arguments...]"}`;
    const sections = [`NAME:\n   ${call} - ${of.summary}\n`, `USAGE:\n   ${usage}\n`];
    return [...sections, ...(options ? [`OPTIONS:\n   ${options}\n`] : [])].join("\n");
  }
  return `NAME:\n   ${call} - ${of.summary}\n\nUSAGE:\n   ${call} COMMAND [arguments...]\n\nCOMMANDS:\n   ${commandLines(of)}\n`;
}

/** The commands of a group, each on a line of its own. */
export function commandLines({ commands }: Group): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return commands.map(({ name, summary }) => `${name.padEnd(width)}  ${summary}`).join("\n   ");
}
