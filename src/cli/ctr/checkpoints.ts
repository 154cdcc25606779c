/** `ctr checkpoints` */
import { print } from "../../base/output";
import { bool, string, strings } from "../flags";
import { type Group, required, subcommand } from "./subcommand";
import { formatColumns } from "./table";

const directory = { "checkpoint-dir": string("path to checkpoint directory") };

const list = subcommand({
  name: "list",
  summary: "list all checkpoints for a container",
  usage: "ID",
  flags: directory,
  async run({ client, flags, args }) {
    const id = required(args[0], "container id");
    const answer = await client.call("ListCheckpoint", { id, checkpointDir: flags["checkpoint-dir"] ?? "" });
    const rows = answer.checkpoints.map(({ name, tcp, unixSockets, shell }) => [
      name,
      String(tcp),
      String(unixSockets),
      String(shell),
    ]);
    print(formatColumns([["NAME", "TCP", "UNIX SOCKETS", "SHELL"], ...rows], 20, 3));
    return 0;
  },
});

const create = subcommand({
  name: "create",
  summary: "create a new checkpoint for the container",
  usage: "ID NAME",
  flags: {
    tcp: bool("persist open tcp connections"),
    "unix-sockets": bool("persist unix sockets"),
    exit: bool("exit the container after the checkpoint completes successfully"),
    shell: bool("checkpoint shell jobs"),
    ...directory,
    "empty-ns": strings("create a namespace, but don't restore its properties"),
  },
  async run({ client, flags, args }) {
    const id = required(args[0], "container id at");
    const name = required(args[1], "checkpoint name");
    const { exit, tcp, shell, "unix-sockets": unixSockets, "empty-ns": emptyNS } = flags;
    const checkpoint = { name, exit, tcp, shell, unixSockets, emptyNS };
    await client.call("CreateCheckpoint", { id, checkpoint, checkpointDir: flags["checkpoint-dir"] ?? "" });
    return 0;
  },
});

const remove = subcommand({
  name: "delete",
  summary: "delete a container's checkpoint",
  usage: "ID NAME",
  flags: directory,
  async run({ client, flags, args }) {
    const id = required(args[0], "container id at");
    const name = required(args[1], "checkpoint name");
    await client.call("DeleteCheckpoint", { id, name, checkpointDir: flags["checkpoint-dir"] ?? "" });
    return 0;
  },
});

export const checkpoints: Group = {
  name: "checkpoints",
  summary: "list all checkpoints",
  commands: [list, create, remove],
  otherwise: list,
};
