/** What `install-containerd` does to containerd's config.toml: a block of its own, at the end, and nothing else is touched. */
import { messageOf, RunvError } from "../base/error";

/** By which containerd finds containerd-shim-runv-v2. */
const runtimeType = "io.containerd.runv.v2";
/** Where CRI's runtimes are, by the version of the file. */
const plugins: Readonly<Record<number, string>> = { 2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime" };
/** All that is in a file that was made for this. */
const bare = "version = 2\n";

type Toml = Readonly<Record<string, unknown>>;

/**
 * The file with the runtime in it.
 * @param text the file as it is; undefined when there is none
 * @param name the runtime's: what a RuntimeClass has as its handler
 * @throws RunvError CONTAINERD_CONFIG
 */
export function withRuntime(text: string | undefined, file: string, name: string): string {
  const others = text === undefined || text.trim() === "" ? bare : withoutBlock(text, name);
  const runtimes = runtimesOf(others, file);
  const there = runtimes.found[name];
  if (there !== undefined) {
    if (isTable(there) && there.runtime_type === runtimeType) return others;
    throw wrong(file, `it has another runtime "${name}"`, "choose another name: --name NAME");
  }
  const table = `[plugins."${runtimes.plugin}".containerd.runtimes.${name}]`;
  const [first, last] = marksOf(name);
  const end = others.endsWith("\n") ? "" : "\n";
  const after = `${others}${end}\n${first}\n${table}\n  runtime_type = "${runtimeType}"\n${last}\n`;
  // Where somebody has written `runtimes = {…}`, nothing can be added to it from outside.
  runtimesOf(after, file);
  return after;
}

/** The file without what `withRuntime` has added; undefined when there is nothing left in it. */
export function withoutRuntime(text: string | undefined, name: string): string | undefined {
  if (text === undefined) return undefined;
  const left = withoutBlock(text, name);
  return left === bare && left !== text ? undefined : left;
}

function withoutBlock(text: string, name: string): string {
  const [first, last] = marksOf(name);
  const start = text.indexOf(`\n${first}\n`);
  const end = text.indexOf(`\n${last}\n`, start);
  return start < 0 || end < 0 ? text : text.slice(0, start) + text.slice(end + last.length + 2);
}

function marksOf(name: string): [string, string] {
  return [`# ${name}: written by runv install-containerd`, `# ${name}: end`];
}

/** The runtimes that such a file has, and in which plugin they are. @throws RunvError CONTAINERD_CONFIG */
function runtimesOf(text: string, file: string): { plugin: string; found: Toml } {
  let config: Toml;
  try {
    config = Bun.TOML.parse(text) as Toml;
  } catch (cause) {
    throw wrong(file, messageOf(cause), "correct the file by hand", cause);
  }
  const { version = 1 } = config;
  const plugin = plugins[Number(version)];
  if (plugin === undefined) {
    throw wrong(file, `it is of version ${version}, not 2 or 3`, "'containerd config migrate' writes one that is");
  }
  const path = ["plugins", plugin, "containerd", "runtimes"];
  const found = path.reduce<unknown>((table, key) => (isTable(table) ? table[key] : undefined), config);
  return { plugin, found: isTable(found) ? found : {} };
}

function isTable(value: unknown): value is Toml {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(file: string, what: string, hint: string, cause?: unknown): RunvError {
  return new RunvError("CONTAINERD_CONFIG", `${file}: ${what}`, { hint, ...(cause !== undefined && { cause }) });
}
