/**
 * The administrator's choices: /etc/runv/config.toml, or the file that RUNV_CONFIG names. No file, no choices. An
 * unknown key is refused, because a misspelt one would be a choice that silently does nothing.
 */
import { readFileSync } from "node:fs";
import { messageOf, RunvError } from "./error";

const defaultConfigFile = "/etc/runv/config.toml";

/** `path`: an absolute path. `texts`: a list. `number`: a whole number; `count`: of at least one. */
const keys = {
  kernel: "path",
  initrd: "path",
  driver: "text",
  templates: "path",
  templates_size: "count",
  template_idle: "number",
  branches: "path",
  pool: "path",
  pool_size: "count",
  pool_reserve: "count",
  default_cpus: "count",
  default_memory: "count",
  start_timeout: "count",
  allow_annotations: "texts",
} as const;

type Key = keyof typeof keys;
type Kind = "path" | "text" | "texts" | "number" | "count";

/** What a value of each kind is here. */
interface Values {
  path: string;
  text: string;
  texts: readonly string[];
  number: number;
  count: number;
}

/** `default_memory`, `templates_size` and `pool_reserve` are in MiB, `start_timeout` and `template_idle` in seconds. */
export type Config = { [K in Key]?: Values[(typeof keys)[K]] } & {
  /** What is said of the drivers' keys. */
  driverOptions: Readonly<Record<string, string>>;
};

/** The keys of the hypervisors' drivers, and what they hold. */
export type DriverKeys = Readonly<Record<string, "path" | "text">>;

/** Reads the configuration. A file that RUNV_CONFIG names must be there. */
export function readConfig(driverKeys: DriverKeys = {}, named = process.env.RUNV_CONFIG): Config {
  const file = named || defaultConfigFile;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (!named && (error as NodeJS.ErrnoException).code === "ENOENT") return { driverOptions: {} };
    throw invalid(file, messageOf(error), error);
  }
  return parseConfig(text, file, driverKeys);
}

/** Reads the text of a configuration; the file's name is for the errors. */
export function parseConfig(text: string, file: string, driverKeys: DriverKeys = {}): Config {
  const known: Readonly<Record<string, Kind>> = { ...keys, ...driverKeys };
  const values: Record<string, unknown> = {};
  const driverOptions: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(parseToml(text, file))) {
    const kind = Object.hasOwn(known, key) ? known[key] : undefined;
    if (kind === undefined) {
      throw invalid(file, `unknown key ${key}`, undefined, `the keys are ${Object.keys(known).join(", ")}`);
    }
    const problem = problemOf(kind, value);
    if (problem !== undefined) throw invalid(file, `${key}: ${problem}`);
    (key in driverKeys ? driverOptions : values)[key] = value;
  }
  return { ...values, driverOptions } as Config;
}

function parseToml(text: string, file: string): Record<string, unknown> {
  try {
    return Bun.TOML.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw invalid(file, messageOf(error), error);
  }
}

function problemOf(kind: Kind, value: unknown): string | undefined {
  if (kind === "count" || kind === "number") {
    const least = kind === "count" ? 1 : 0;
    if (Number.isSafeInteger(value) && (value as number) >= least) return undefined;
    return least === 1 ? "must be a whole number above 0" : "must be a whole number";
  }
  if (kind === "texts") {
    const all = Array.isArray(value) && value.every((item) => typeof item === "string" && item !== "");
    return all ? undefined : "must be a list of texts in quotes";
  }
  if (typeof value !== "string" || value === "") return "must be a text in quotes";
  return kind === "path" && !value.startsWith("/") ? "must be an absolute path" : undefined;
}

function invalid(file: string, problem: string, cause?: unknown, hint?: string): RunvError {
  const options = { ...(cause === undefined ? {} : { cause }), ...(hint === undefined ? {} : { hint }) };
  return new RunvError("CONFIG_FILE_INVALID", `${file}: ${problem}`, options);
}
