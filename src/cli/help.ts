/** The help, in runc's layout. Loaded only when somebody asks for it or mistypes. */
import { commit, programName, specVersion, version } from "../base/version";
import type { Command } from "./command";
import type { Flags } from "./flags";
import { globalFlags } from "./global";

/** A link named runc is called by who wants runc. */
const kind = programName === "runc" ? "runtime" : "hypervisor-based runtime";

const description = `Open Container Initiative ${kind}

runv runs each container in a small virtual machine of its own, behind the command
line of runc, and is a compliant implementation of the Open Container Initiative
specification. Docker, containerd and podman use it like any other runtime.

Containers are configured using bundles. A bundle for a container is a directory
that includes a specification file named "config.json" and a root filesystem.
The root filesystem contains the contents of the container.

To start a new instance of a container:

    # runv run [ -b bundle ] <container-id>

Where "<container-id>" is your name for the instance of the container that you
are starting. The name you provide for the container instance must be unique on
your host. Providing the bundle directory using "-b" is optional. The default
value for "bundle" is the current directory.`;

/** What `--version` prints after the name. */
export function versionText(): string {
  return `${version}\ncommit: ${commit}\nspec: ${specVersion}`;
}

/** The help of runv itself. */
export function mainHelp(commands: readonly Command[]): string {
  const shown = commands.filter(({ hidden }) => hidden !== true).map(({ name, summary }): Row => [name, summary]);
  return sections([
    ["NAME", `${programName} - ${description}`],
    ["USAGE", `${programName} [global options] command [command options] [arguments...]`],
    ["VERSION", versionText()],
    ["COMMANDS", columns([...shown, ["help, h", "Shows a list of commands or help for one command"]])],
    [
      "GLOBAL OPTIONS",
      columns([...flagRows(globalFlags), ["--help, -h", "show help"], ["--version, -v", "print the version"]]),
    ],
  ]);
}

/** The help of one command. */
export function commandHelp({ name, summary, usage, description, flags }: Command): string {
  const rows = flagRows(flags);
  const options = rows.length > 0 ? " [command options]" : "";
  return sections([
    ["NAME", `${programName} ${name} - ${summary}`],
    ["USAGE", `${programName} ${name}${options} ${usage ?? ""}`.replaceAll(/ +$/gm, "")],
    ["DESCRIPTION", description ?? ""],
    ["OPTIONS", columns(rows)],
  ]);
}

/** The flags of a command, each on a line of its own; empty when it has none. */
export function flagTable(flags: Flags): string {
  const rows = flagRows(flags);
  return rows.length === 0 ? "" : columns(rows);
}

type Row = [left: string, right: string];

function sections(all: [title: string, text: string][]): string {
  return all
    .filter(([, text]) => text !== "")
    .map(([title, text]) => `${title}:\n   ${text}\n`)
    .join("\n");
}

function columns(rows: Row[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`).join("\n   ");
}

function flagRows(flags: Flags): Row[] {
  return Object.entries(flags)
    .filter(([, { hidden }]) => hidden !== true)
    .map(([name, flag]) => {
      const value = flag.kind === "bool" ? "" : " value";
      const left = `--${name}${value}${flag.short === undefined ? "" : `, -${flag.short}${value}`}`;
      const standard =
        "default" in flag && flag.default !== undefined ? ` (default: ${JSON.stringify(flag.default)})` : "";
      return [left, flag.usage + standard];
    });
}
