/** `runv template ls|build|rm|gc` */
import { RunvError } from "../base/error";
import { print } from "../base/output";
import type { GlobalOptions } from "../base/settings";
import type { TemplateInfo, TemplateStore } from "../sandbox/template/template-store";
import { command } from "./command";
import { bool, type FlagValues, int } from "./flags";
import { formatFlag, parseFormat } from "./list";
import { refuseOthers, usage } from "./parse";

const flags = {
  format: formatFlag,
  quiet: bool("display only keys", { short: "q" }),
  cpus: int("virtual CPUs of the machine"),
  memory: int("memory of the machine in MiB"),
  "host-network": bool("for containers that share the host's network namespace"),
  all: bool("stop or remove all", { short: "a" }),
} as const;

type Given = FlagValues<typeof flags>;

/** For each subcommand the flags it has, how many arguments it takes, and what it does. */
const subcommands: Readonly<
  Record<
    string,
    { takes: (keyof Given)[]; run: (given: Given, keys: string[], global: GlobalOptions) => Promise<void> }
  >
> = {
  ls: { takes: ["format", "quiet"], run: (given, _, global) => list(given, global) },
  build: { takes: ["cpus", "memory", "host-network"], run: (given, _, global) => buildOne(given, global) },
  stop: { takes: ["all"], run: (given, keys, global) => forSome("stop", given, keys, global, stop) },
  rm: {
    takes: ["all"],
    run: (given, keys, global) => forSome("rm", given, keys, global, (store, key) => store.drop(key)),
  },
  gc: { takes: [], run: (_given, _keys, global) => collect(global) },
};
const aliases: Readonly<Record<string, string>> = { list: "ls", remove: "rm" };

export const template = command({
  name: "template",
  summary: "manage the templates that virtual machines are cloned from",
  usage: `ls | build | stop KEY... | rm KEY... | gc; stop and rm take --all, too

ls lists them (--format, --quiet): good ones are cloned; stale ones are of another boot of the
host or of files that have changed, damaged ones were written to: nothing is cloned from these.
PROCESS says whether clones are forked from a machine that has started already, which takes
software emulation: ready, starting, none, or why they are not.
build makes the template for a shape of machine ahead of time: --cpus and --memory are the
machine's, by default those of a container without limits.
stop ends their processes, which nobody needs who starts no more containers; clones go on.
rm removes templates; machines that run keep what they have of them.
gc removes the stale and the damaged, and the oldest of those that are too many.`,
  words: Object.keys(subcommands),
  flags,
  args: [1, Number.POSITIVE_INFINITY],
  async run({ flags: given, args: [word = "", ...keys], global }) {
    const name = aliases[word] ?? word;
    const subcommand = subcommands[name];
    if (subcommand === undefined) throw usage(`No help topic for 'template ${word}'`);
    refuseOthers(flags, given, subcommand.takes);
    if (name !== "rm" && name !== "stop" && keys.length > 0) throw usage(`runv: "template ${word}" takes no arguments`);
    await subcommand.run(given, keys, global);
    return 0;
  },
});

/** The templates of this configuration. */
export async function openTemplates(global: GlobalOptions) {
  const [{ templateSettings }, { TemplateStore }] = await Promise.all([
    import("../sandbox/settings"),
    import("../sandbox/template/template-store"),
  ]);
  const { directory, budgetMiB } = templateSettings(global);
  return new TemplateStore(directory, budgetMiB);
}

/** Makes the template for machines of this size. @returns its key */
export async function build(
  global: GlobalOptions,
  { cpus, memoryMiB, network }: { cpus?: number | undefined; memoryMiB?: number | undefined; network: "new" | "host" },
): Promise<string> {
  const [{ settings, templateSettings }, { buildTemplate }] = await Promise.all([
    import("../sandbox/settings"),
    import("../sandbox/template/build-template"),
  ]);
  const { kernel, initrd, driver, driverOptions, startTimeoutMs, defaultCpus, defaultMemory } = settings(global);
  const size = { cpus: cpus ?? defaultCpus, memoryMiB: memoryMiB ?? defaultMemory };
  const request = { kernel, initrd, driver, driverOptions, startTimeoutMs, network, ...size };
  return (await buildTemplate(global.root, request, templateSettings(global))).key;
}

async function buildOne({ cpus, memory, "host-network": host }: Given, global: GlobalOptions): Promise<void> {
  for (const [name, value] of Object.entries({ cpus, memory })) {
    if ((value ?? 1) < 1) throw usage(`--${name} must be above 0`);
  }
  print(`${await build(global, { cpus, memoryMiB: memory, network: host ? "host" : "new" })}\n`);
}

async function list({ format, quiet }: Given, global: GlobalOptions): Promise<void> {
  const how = parseFormat(format);
  const all = (await openTemplates(global)).list();
  if (quiet) print(all.map(({ key }) => `${key}\n`).join(""));
  else if (how === "json") print(`${JSON.stringify(all)}\n`);
  else {
    const { formatTable } = await import("../container/table");
    print(
      formatTable(["KEY", "STATUS", "CPUS", "MEMORY", "NETWORK", "SIZE", "PROCESS", "MADE", "KERNEL"], all.map(row)),
    );
  }
}

function row({ key, status, bytes, made, subject, process }: TemplateInfo): string[] {
  const { cpus = "?", memoryMiB, network = "?", kernel = "?" } = subject ?? {};
  const memory = memoryMiB === undefined ? "?" : `${memoryMiB} MiB`;
  const size = `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return [key, status, String(cpus), memory, network, size, process, made.toISOString(), kernel];
}

/** Does something with the templates of these keys, or with all. */
async function forSome(
  word: string,
  { all }: Given,
  keys: string[],
  global: GlobalOptions,
  action: (store: TemplateStore, key: string) => unknown,
): Promise<void> {
  if (all === keys.length > 0) throw usage(`template ${word} takes keys, as ls shows them, or --all`);
  const store = await openTemplates(global);
  const present = new Set(store.list().map(({ key }) => key));
  const unknown = keys.find((key) => !present.has(key));
  if (unknown !== undefined) {
    const hint = "runv template ls";
    throw new RunvError("TEMPLATE_UNKNOWN", `there is no template ${JSON.stringify(unknown)}`, { hint });
  }
  for (const key of all ? present : keys) await action(store, key);
}

/** Ends the process of a template, and returns when it has. */
async function stop({ directory }: TemplateStore, key: string): Promise<void> {
  const { endProcess } = await import("../sandbox/template/template-process");
  endProcess(`${directory}/${key}`);
}

async function collect(global: GlobalOptions): Promise<void> {
  const removed = await (await openTemplates(global)).collect();
  print(removed.map(({ key, status }) => `${key} (${status === "good" ? "beyond the budget" : status})\n`).join(""));
}
