/** Manual pages in man(7)'s language, which groff and mandoc read. */
import { contentOf, type Documented, version } from "./commands";

export interface Page {
  file: string;
  source: string;
}

const section = 8;

/** For runv a page for each command besides, for the other programs one page. @param date as it is shown: 2026-11-29 */
export function manPages(programs: readonly Documented[], date: string): Page[] {
  const all = programs.flatMap((program) => (program.path[0] === "runv" ? [program, ...program.commands] : [program]));
  // `runv containerd` and `runv ctr` have the pages of the links by which they are called.
  const own = all.filter(
    ({ path }) => path.length === 1 || !programs.some((other) => other.path[0] === path.join("-")),
  );
  return own.map((command) => page(command, date, own));
}

function page(command: Documented, date: string, all: readonly Documented[]): Page {
  const name = command.path.join("-");
  const isRunv = name === "runv";
  const lines = [
    `.TH ${name.toUpperCase()} ${section} ${date} "runv ${version}" "System Administration"`,
    ".ad l",
    ".SH NAME",
    `${roff(name)} \\- ${roff(command.summary)}`,
    ".SH SYNOPSIS",
    ...synopsis(command),
    ".SH DESCRIPTION",
    ...(isRunv ? introduction : description(command)),
    ...options(command, isRunv ? "GLOBAL OPTIONS" : "OPTIONS"),
    ...(isRunv ? [".SH COMMANDS", ...command.commands.flatMap(item)] : below(command)),
    ".SH EXIT STATUS",
    "0 on success. 1 on failure; the last line of the log says why, with a code that is stable. 255 when a command in a container",
    "could not be executed, 3 for a command that does not exist. A container's own exit code is passed on.",
    ...(isRunv ? files : []),
    ".SH SEE ALSO",
    ...seeAlso(name, all),
  ];
  return { file: `${name}.${section}`, source: `${lines.join("\n")}\n` };
}

const introduction = [
  "Runs each container in a small virtual machine of its own, behind the command line of",
  ".BR runc (8).",
  "Docker, containerd, podman and Kubernetes use it like any other runtime of the Open Container Initiative.",
  ".PP",
  "A container is made from a bundle: a directory with a file",
  ".I config.json",
  "and a root file system.",
];

const files = [
  ".SH FILES",
  ...tagged("/etc/runv/config.toml", "what runv does where its command line does not say; RUNV_CONFIG names another"),
  ...tagged("/var/lib/hyper/", "kernel and initrd of the virtual machines, made by runv image build"),
  ...tagged("/var/lib/runv/", "templates that virtual machines are cloned from"),
  ...tagged("/run/runv/", "state of the containers"),
];

function synopsis({ path, flags, usage }: Documented): string[] {
  const options =
    Object.keys(flags).length > 0
      ? [`.RI [ "${path.length === 1 && path[0] === "runv" ? "global options" : "options"}" ]`]
      : [];
  const [first = "", ...more] = usage.split("\n");
  return [
    `.B ${roff(path.join(" "))}`,
    ...options,
    ...(first === "" ? [] : [roff(first)]),
    ...more.flatMap((line) => [".br", roff(line.trim())]),
  ];
}

function description({ description, summary }: Documented): string[] {
  const text = description.replace(/(?:^|\n\n)COMMANDS:\n[\s\S]*$/, "").trim();
  return text === "" ? [`${roff(summary[0]!.toUpperCase() + summary.slice(1))}.`] : paragraphs(text);
}

/** Blank lines part paragraphs; what is indented stays as it is. */
function paragraphs(text: string): string[] {
  const all: string[] = [];
  for (const block of text.split(/\n\s*\n/)) {
    const lines = block.split("\n");
    const indented = (line: string) => /^ {4,}|^ +#/.test(line);
    for (let at = 0; at < lines.length; ) {
      const asIs = indented(lines[at]!);
      let end = at;
      while (end < lines.length && indented(lines[end]!) === asIs) end += 1;
      const part = lines.slice(at, end).map((line) => roff(line.trim()));
      all.push(...(all.length > 0 ? [".PP"] : []), ...(asIs ? [".RS 4", ".nf", ...part, ".fi", ".RE"] : part));
      at = end;
    }
  }
  // A paragraph that begins with an example has none of its own.
  return all.filter((line, at) => !(line === ".PP" && all[at + 1] === ".RS 4"));
}

function options({ flags }: Documented, title: string): string[] {
  const entries = Object.entries(flags);
  if (entries.length === 0) return [];
  return [
    `.SH ${title}`,
    ...entries.flatMap(([name, flag]) => {
      const value = contentOf(flag) === "none" ? "" : " value";
      const names = [...(flag.short === undefined ? [] : [`-${flag.short}${value}`]), `--${name}${value}`].join(", ");
      const standard =
        "default" in flag && flag.default !== undefined ? ` (default: ${JSON.stringify(flag.default)})` : "";
      return tagged(names, flag.usage + standard);
    }),
  ];
}

/** The commands of a page that have none of their own. */
function below({ commands }: Documented): string[] {
  if (commands.length === 0) return [];
  const leaves = (command: Documented): Documented[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  return [
    ".SH COMMANDS",
    ...commands
      .flatMap(leaves)
      .flatMap((command) => [
        ...tagged(command.path.slice(1).join(" ") + (command.usage === "" ? "" : ` ${command.usage}`), command.summary),
        ...(Object.keys(command.flags).length === 0 ? [] : [".RS", ...options(command, "").slice(1), ".RE"]),
      ]),
  ];
}

const item = ({ path, summary }: Documented) => tagged(`${path.slice(1).join(" ")}`, summary);

function tagged(tag: string, text: string): string[] {
  return [".TP", `.B ${roff(tag)}`, ...text.split("\n").map((line) => roff(line.trim()))];
}

function seeAlso(name: string, all: readonly Documented[]): string[] {
  const others = all.map(({ path }) => path.join("-")).filter((other) => other !== name);
  const near = name === "runv" ? others : ["runv"];
  return near.map((other, at) => `.BR ${roff(other)} (${section})${at === near.length - 1 ? "" : ","}`);
}

/** So that nothing in it is a request, an escape or a hyphen that cannot be copied. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/, "\\&$1")
    .replaceAll('"', "\\(dq");
}
