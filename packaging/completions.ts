/**
 * Completions for bash, zsh and fish: `completions/runv.*` with the tables filled in. Each shell's file walks over the words that are there
 * already, finds the command and whether the last word is a flag that wants a value, and offers what the table says.
 */

import { contentOf, type Documented, namesOf, withAllBelow } from "./commands";
import bash from "./completions/runv.bash" with { type: "text" };
import fish from "./completions/runv.fish" with { type: "text" };
import zsh from "./completions/runv.zsh" with { type: "text" };

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const calledBy = ({ path }: Documented) => path.join(" ");
const lastOf = ({ path }: Documented) => path.at(-1)!;
const programNames = (programs: readonly Documented[]) => programs.map(calledBy).join(" ");
const firstLine = (text: string) => text.split("\n")[0]!;

/** The file with its tables in place of their names. */
function fill(text: string, tables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/@([A-Z]+)@/g, (_, name: string) => tables[name]!);
}

/** `choices a b`, `files`, `directories` or `anything` after a flag. */
function valuesOf(command: Documented): { at: string; content: string }[] {
  return Object.entries(command.flags).flatMap((entry) => {
    const content = contentOf(entry[1]);
    if (content === "none") return [];
    const text = typeof content === "string" ? content : `choices ${content.choices.join(" ")}`;
    return namesOf(entry).map((name) => ({ at: `${calledBy(command)} ${name}`, content: text }));
  });
}

/** Cases of bash and zsh, those with the same content together. */
function valueCases(all: readonly Documented[]): string {
  const byContent = new Map<string, string[]>();
  for (const { at, content } of all.flatMap(valuesOf)) byContent.set(content, [...(byContent.get(content) ?? []), at]);
  return [...byContent]
    .map(([content, at]) => `    ${at.map(quoted).join("|")}) value=${quoted(content)} ;;`)
    .join("\n");
}

function commandCase(command: Documented, below: string, flags: string): string {
  const { commands, words, container } = command;
  const kind = commands.length > 0 ? "commands" : words.length > 0 ? "words" : "none";
  return `    ${quoted(calledBy(command))}) kind=${kind} container=${container ? "1" : "''"} below=${below} flags=${flags} ;;`;
}

/** For bash 4 and later, with or without the package bash-completion. */
export function bashCompletion(programs: readonly Documented[]): string {
  const all = programs.flatMap(withAllBelow);
  const cases = all.map((command) => {
    const flags = [...Object.entries(command.flags).flatMap(namesOf), "--help", "-h"];
    return commandCase(
      command,
      quoted([...command.commands.map(lastOf), ...command.words].join(" ")),
      quoted(flags.join(" ")),
    );
  });
  return fill(bash, { COMMANDS: cases.join("\n"), VALUES: valueCases(all), PROGRAMS: programNames(programs) });
}

/** With a description for each command and flag. */
export function zshCompletion(programs: readonly Documented[]): string {
  const all = programs.flatMap(withAllBelow);
  const described = (name: string, text: string) => quoted(`${name}:${firstLine(text)}`);
  const cases = all.map((command) => {
    const below = [
      ...command.commands.map((each) => described(lastOf(each), each.summary)),
      ...command.words.map(quoted),
    ];
    const flags = Object.entries(command.flags).flatMap((entry) =>
      namesOf(entry).map((name) => described(name, entry[1].usage)),
    );
    return commandCase(command, `(${below.join(" ")})`, `(${flags.join(" ")})`);
  });
  return fill(zsh, { COMMANDS: cases.join("\n"), VALUES: valueCases(all), PROGRAMS: programNames(programs) });
}

const fishQuoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

/** For fish 3 and later. */
export function fishCompletion(programs: readonly Documented[]): string {
  const all = programs.flatMap(withAllBelow);
  return fill(fish, {
    COMMANDS: all.map(calledBy).map(fishQuoted).join(" "),
    VALUES: all
      .flatMap(valuesOf)
      .map(({ at }) => fishQuoted(at))
      .join(" "),
    RULES: all.flatMap(fishRules).join("\n"),
  });
}

function fishRules(command: Documented): string[] {
  const complete = `complete -c ${command.path[0]}`;
  const at = (count: number) => `-f -n ${fishQuoted(`__runv_at ${count} ${calledBy(command)}`)}`;
  const flags = Object.entries(command.flags).map(([name, flag]) => {
    const short = flag.short === undefined ? "" : ` -s ${flag.short}`;
    const here = `-n ${fishQuoted(`__runv_in ${calledBy(command)}`)}`;
    return `${complete} ${here} -l ${name}${short}${fishValue(contentOf(flag))} -d ${fishQuoted(firstLine(flag.usage))}`;
  });
  const below = command.commands.map((each) => `-a ${lastOf(each)} -d ${fishQuoted(firstLine(each.summary))}`);
  const words = [...below, ...command.words.map((word) => `-a ${word}`)].map((word) => `${complete} ${at(0)} ${word}`);
  const place = command.words.length > 0 ? 1 : 0;
  const container = command.container ? [`${complete} ${at(place)} -a '(__runv_containers)'`] : [];
  return [...flags, ...words, ...container];
}

function fishValue(content: ReturnType<typeof contentOf>): string {
  if (typeof content !== "string") return ` -x -a ${fishQuoted(content.choices.join(" "))}`;
  return { none: "", files: " -r -F", directories: " -x -a '(__fish_complete_directories)'", anything: " -x" }[content];
}
