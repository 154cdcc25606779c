/** What a command is. One file per command declares one; `main.ts` parses its flags and runs it. */

import type { GlobalOptions } from "../base/settings";
import type { Flags, FlagValues } from "./flags";

export interface Context<F extends Flags = Flags> {
  flags: FlagValues<F>;
  /** What is left of the command line after the flags. */
  args: string[];
  global: GlobalOptions;
}

export interface Command<F extends Flags = Flags> {
  name: string;
  /** One line, for the list of commands. */
  summary: string;
  /** The arguments, and what they mean, as the help shows them after the name. */
  usage?: string;
  description?: string;
  /** What its first argument can be, where these are its own commands: for completions and manuals. */
  words?: readonly string[];
  flags: F;
  /** How many arguments it takes: the least and the most. */
  args: readonly [number, number];
  /** Flags end at the first argument: what follows belongs to another program. */
  flagsFirst?: boolean;
  /** Works, but is not listed: runv calls it itself. */
  hidden?: boolean;
  /** Does the work and returns the exit code. */
  run(context: Context<F>): Promise<number>;
}

/** Declares a command; its flag table gives the types of `context.flags`. */
export function command<F extends Flags>(definition: Command<F>): Command {
  return definition as unknown as Command;
}

/** Why these arguments are too many or too few, in runc's words. */
export function argumentProblem({ name, args: [least, most] }: Command, count: number): string | undefined {
  if (count >= least && count <= most) return undefined;
  if (least === most) return `runv: "${name}" requires exactly ${least} argument(s)`;
  if (count < least) return `runv: "${name}" requires a minimum of ${least} argument(s)`;
  return `runv: "${name}" requires a maximum of ${most} argument(s)`;
}
