/**
 * What flags are. A command declares a table of them, keyed by their long names; `parseFlags` reads a command line
 * by the table, and the types of the values follow from it.
 */

interface FlagText {
  /** One line for the help. */
  usage: string;
  /** The one-letter name, without its dash. */
  short?: string;
  /** Accepted, but not shown in the help. */
  hidden?: boolean;
}

export type Flag =
  | (FlagText & { kind: "bool" })
  | (FlagText & { kind: "string"; default?: string })
  | (FlagText & { kind: "int"; default?: number })
  | (FlagText & { kind: "strings" })
  | (FlagText & { kind: "ints" });

export type Flags = Readonly<Record<string, Flag>>;

/** The value a flag has after parsing: its default, or undefined, when it was not given. */
export type FlagValue<F extends Flag> = F extends { kind: "bool" }
  ? boolean
  : F extends { kind: "strings" }
    ? string[]
    : F extends { kind: "ints" }
      ? number[]
      : F extends { kind: "string"; default: string }
        ? string
        : F extends { kind: "string" }
          ? string | undefined
          : F extends { default: number }
            ? number
            : number | undefined;

export type FlagValues<F extends Flags> = { [K in keyof F]: FlagValue<F[K]> };

type Extra = Omit<FlagText, "usage">;

export const bool = (usage: string, extra: Extra = {}) => ({ kind: "bool", usage, ...extra }) as const;

export const strings = (usage: string, extra: Extra = {}) => ({ kind: "strings", usage, ...extra }) as const;

export const ints = (usage: string, extra: Extra = {}) => ({ kind: "ints", usage, ...extra }) as const;

export const string = <E extends Extra & { default?: string }>(usage: string, extra: E = {} as E) =>
  ({ kind: "string", usage, ...extra }) as const;

export const int = <E extends Extra & { default?: number }>(usage: string, extra: E = {} as E) =>
  ({ kind: "int", usage, ...extra }) as const;

/** The flag that a name on the command line means, with its long name. `_` and `-` are the same, as runV had both. */
export function findFlag(flags: Flags, name: string): [string, Flag] | undefined {
  const wanted = name.replaceAll("_", "-");
  return Object.entries(flags).find(([long, flag]) => long.replaceAll("_", "-") === wanted || flag.short === name);
}
