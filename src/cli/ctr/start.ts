/** `ctr containers start` */
import { join, resolve } from "node:path";
import { messageOf } from "../../base/error";
import { bool, string, strings } from "../flags";
import { Attachment } from "./attach";
import { CtrFailure, required, subcommand } from "./subcommand";

export const start = subcommand({
  name: "start",
  summary: "start a container",
  usage: "ID BUNDLE",
  flags: {
    checkpoint: string("checkpoint to start the container from", { short: "c", default: "" }),
    "checkpoint-dir": string("path to checkpoint directory", { default: "" }),
    attach: bool("connect to the stdio of the container", { short: "a" }),
    label: strings("set labels for the container", { short: "l" }),
    "no-pivot": bool("do not use pivot root"),
    runtime: string("name of the runtime, as it is shown; it is runv", { short: "r", default: "runv" }),
    "runtime-args": strings("specify additional runtime args"),
  },
  async run({ client, flags, args }) {
    const bundle = required(args[1], "bundle path");
    const id = required(args[0], "container id");
    const bundlePath = resolve(bundle);
    const terminal = flags.attach && (await wantsTerminal(bundlePath));
    const attachment = new Attachment(client, id, "init", { attach: flags.attach, terminal });
    return await attachment.around(async (stdio) => {
      await client.call("CreateContainer", {
        id,
        bundlePath,
        checkpoint: flags.checkpoint,
        checkpointDir: flags["checkpoint-dir"],
        labels: flags.label,
        noPivotRoot: flags["no-pivot"],
        runtime: flags.runtime,
        runtimeArgs: flags["runtime-args"],
        ...stdio,
      });
    });
  },
});

async function wantsTerminal(bundle: string): Promise<boolean> {
  try {
    return (await Bun.file(join(bundle, "config.json")).json())?.process?.terminal === true;
  } catch (error) {
    throw new CtrFailure(`read ${join(bundle, "config.json")}: ${messageOf(error)}`);
  }
}
