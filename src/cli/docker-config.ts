/** What `install-docker` does to Docker's daemon.json. */
import { RunvError } from "../base/error";
import { parseJson } from "../oci/json";

type Json = Readonly<Record<string, unknown>>;

/** What is to be changed. */
export interface DockerRuntime {
  /** The runtime's name. */
  name: string;
  /** Its program. */
  path: string;
  /** It is to be the runtime of containers that name none. */
  isDefault: boolean;
}

/**
 * The file with the runtime in it.
 * @param text the file as it is; undefined when there is none
 * @throws RunvError CONFIG_SYNTAX, DOCKER_CONFIG
 */
export function withRuntime(text: string | undefined, file: string, { name, path, isDefault }: DockerRuntime): string {
  const config = parse(text, file);
  const runtimes = { ...runtimesOf(config, file), [name]: { path } };
  return format({ ...config, runtimes, ...(isDefault && { "default-runtime": name }) });
}

/** The file without the runtime; undefined when there is nothing left in it. @throws RunvError CONFIG_SYNTAX, DOCKER_CONFIG */
export function withoutRuntime(text: string | undefined, file: string, name: string): string | undefined {
  const { runtimes: _, "default-runtime": fallback, ...rest } = parse(text, file);
  const { [name]: __, ...others } = runtimesOf(parse(text, file), file);
  const left = {
    ...rest,
    ...(Object.keys(others).length > 0 && { runtimes: others }),
    ...(fallback !== undefined && fallback !== name && { "default-runtime": fallback }),
  };
  return Object.keys(left).length > 0 ? format(left) : undefined;
}

function parse(text: string | undefined, file: string): Json {
  const config = text === undefined || text.trim() === "" ? {} : parseJson(text, file);
  return object(config, file, "it");
}

function runtimesOf({ runtimes = {} }: Json, file: string): Json {
  return object(runtimes, file, '"runtimes"');
}

function object(value: unknown, file: string, what: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw new RunvError("DOCKER_CONFIG", `${file}: ${what} is not an object`, { hint: "correct the file by hand" });
}

function format(config: Json): string {
  return `${JSON.stringify(config, null, 2)}\n`;
}
