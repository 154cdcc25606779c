/** `ctr state`, `ctr version` */
import { print } from "../../base/output";
import { goJson } from "../../containerd/api/go-json";
import { subcommand } from "./subcommand";

export const state = subcommand({
  name: "state",
  summary: "get a raw dump of the containerd state",
  usage: "[ID]",
  flags: {},
  async run({ client, args: [id = ""] }) {
    print(goJson("StateResponse", await client.call("State", { id })));
    return 0;
  },
});

export const version = subcommand({
  name: "version",
  summary: "return the daemon version",
  usage: "",
  flags: {},
  async run({ client }) {
    const { major, minor, patch, revision } = await client.call("GetServerVersion", {});
    print(`daemon version ${major}.${minor}.${patch} commit: ${revision}\n`);
    return 0;
  },
});
