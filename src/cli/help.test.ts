import { expect, test } from "bun:test";
import { ctr } from "./ctr/ctr";
import { deleteContainer } from "./delete";
import { commandHelp, mainHelp } from "./help";
import { list } from "./list";
import { state } from "./state";

const nothing = async () => 0;

test("a command without flags", () => {
  expect(commandHelp(state(nothing))).toBe(`NAME:
   runv state - output the state of a container

USAGE:
   runv state <container-id>

Where "<container-id>" is the name for the instance of the container.

DESCRIPTION:
   The state command outputs current state information for the
instance of a container.
`);
});

test("a command with commands of its own", () => {
  expect(commandHelp(ctr)).toContain(`
USAGE:
   runv ctr [command options] COMMAND [command options] [arguments...]

COMMANDS:
   checkpoints  list all checkpoints
   containers   interact`);
});

test("flags with short names, values and defaults", () => {
  expect(commandHelp(list(nothing))).toEndWith(`
OPTIONS:
   --format value, -f value  select one of: table or json (default: "table")
   --quiet, -q               display only container IDs
`);
});

test("runv itself: the list of commands, without the hidden ones", () => {
  const hidden = { ...state(nothing), name: "monitor", hidden: true };
  const help = mainHelp([deleteContainer(nothing), hidden, state(nothing)]);
  expect(help).toStartWith("NAME:\n   runv - Open Container Initiative hypervisor-based runtime\n\n");
  expect(help).toContain(`
USAGE:
   runv [global options] command [command options] [arguments...]

VERSION:
   `);
  expect(help).toContain(`
COMMANDS:
   delete   delete any resources held by the container often used with detached container
   state    output the state of a container
   help, h  Shows a list of commands or help for one command

GLOBAL OPTIONS:
   --debug                 enable debug logging
`);
  expect(help).toEndWith(`
   --help, -h              show help
   --version, -v           print the version
`);
});
