/**
 * Reads a command line the way Go's `flag` package and runc's urfave/cli do: one dash or two, `--name value` or
 * `--name=value`, `--bool=false`, no bundled short flags, `--` ends them.
 */
import { RunvError } from "../base/error";
import { type Flag, type Flags, type FlagValues, findFlag } from "./flags";
import { parseBool, parseInteger } from "./values";

type Value = boolean | string | number | string[] | number[] | undefined;

export interface Parsed<F extends Flags> {
  flags: FlagValues<F>;
  args: string[];
}

/**
 * @param interspersed flags may also follow the first argument. An unknown one there is an argument (`kill ID -9`), as
 * in runc; without this, everything from the first argument on is left alone (`exec ID ls -l`)
 */
export function parseFlags<F extends Flags>(flags: F, argv: readonly string[], interspersed: boolean): Parsed<F> {
  const values = defaults(flags);
  const args: string[] = [];
  let index = 0;
  while (index < argv.length) {
    const word = argv[index++]!;
    if (word === "--") break;
    if (!word.startsWith("-") || word === "-") {
      args.push(word);
      if (!interspersed) break;
      continue;
    }
    const { name, inline } = split(word);
    const found = findFlag(flags, name);
    if (found === undefined && args.length > 0) {
      args.push(word);
      continue;
    }
    if (found === undefined) throw usage(`flag provided but not defined: -${name}`);
    const [long, flag] = found;
    if (flag.kind === "bool") {
      values[long] = inline === undefined || boolValue(name, inline);
      continue;
    }
    const text = inline ?? argv[index++];
    if (text === undefined) throw usage(`flag needs an argument: -${name}`);
    values[long] = add(values[long], flag, name, text);
  }
  return { flags: values as FlagValues<F>, args: [...args, ...argv.slice(index)] };
}

/**
 * Refuses the flags of a command that one of its subcommands does not have.
 * @param takes those that it has
 * @throws RunvError USAGE
 */
export function refuseOthers<F extends Flags>(flags: F, given: FlagValues<F>, takes: readonly (keyof F)[]): void {
  const initial = defaults(flags);
  for (const name of Object.keys(flags)) {
    const value = given[name] as Value;
    const isGiven = Array.isArray(value) ? value.length > 0 : value !== initial[name];
    if (isGiven && !takes.includes(name)) throw usage(`flag provided but not defined: -${name}`);
  }
}

/** A mistake on the command line; the help of the command is printed with it. */
export function usage(message: string): RunvError {
  return new RunvError("USAGE", message);
}

function defaults(flags: Flags): Record<string, Value> {
  const initial = (flag: Flag): Value => {
    if (flag.kind === "bool") return false;
    return flag.kind === "strings" || flag.kind === "ints" ? [] : flag.default;
  };
  return Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, initial(flag)]));
}

function split(word: string): { name: string; inline: string | undefined } {
  const body = word.slice(word.startsWith("--") ? 2 : 1);
  if (body.startsWith("-") || body.startsWith("=")) throw usage(`bad flag syntax: ${word}`);
  const equals = body.indexOf("=");
  if (equals < 0) return { name: body, inline: undefined };
  return { name: body.slice(0, equals), inline: body.slice(equals + 1) };
}

function add(before: Value, flag: Flag, name: string, text: string): Value {
  if (flag.kind === "string") return text;
  if (flag.kind === "strings") return [...(before as string[]), text];
  const number = parseInteger(text);
  if (number === undefined) throw usage(`invalid value ${JSON.stringify(text)} for flag -${name}: parse error`);
  return flag.kind === "ints" ? [...(before as number[]), number] : number;
}

function boolValue(name: string, text: string): boolean {
  const value = parseBool(text);
  if (value === undefined) throw usage(`invalid boolean value ${JSON.stringify(text)} for -${name}: parse error`);
  return value;
}
