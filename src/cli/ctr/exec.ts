/** `ctr containers exec` */
import { bool, int, string, strings } from "../flags";
import { Attachment } from "./attach";
import { subcommand } from "./subcommand";

export const exec = subcommand({
  name: "exec",
  summary: "exec another process in an existing container",
  usage: "COMMAND [arguments...]",
  flagsFirst: true,
  flags: {
    id: string("container id to add the process to", { default: "" }),
    pid: string("process id for the new process", { default: "" }),
    attach: bool("connect to the stdio of the container", { short: "a" }),
    cwd: string("current working directory for the process", { default: "" }),
    tty: bool("create a terminal for the process", { short: "t" }),
    env: strings("environment variables for the process", { short: "e" }),
    uid: int("user id of the user for the process", { short: "u", default: 0 }),
    gid: int("group id of the user for the process", { short: "g", default: 0 }),
  },
  async run({ client, flags, args }) {
    const { id, pid, attach, cwd, tty: terminal, env, uid, gid } = flags;
    const attachment = new Attachment(client, id, pid, { attach, terminal });
    return await attachment.around(async (stdio) => {
      await client.call("AddProcess", { id, pid, args, cwd, terminal, env, user: { uid, gid }, ...stdio });
    });
  },
});
