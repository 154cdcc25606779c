/** `runv interface add|ls|rm|update` */
import { randomHex } from "../base/random";
import type { InterfaceOptions } from "../container/options";
import { type Command, command } from "./command";
import { containerId, type Perform } from "./container";
import { type FlagValues, int, string } from "./flags";
import { refuseOthers, usage } from "./parse";

const flags = {
  tapname: string("set tap name, if interface with same name exists, use existing one instead of creating new one"),
  name: string("set interface name in container"),
  ip: string("set ip address with a mask, format: 192.168.0.2/24"),
  mac: string("set mac address"),
  mtu: int("set mtu"),
  "add-ip": string("add a new ip address with mask (format: 192.168.0.2/24)"),
  "delete-ip": string("delete an ip address with mask (format: 192.168.0.2/24)"),
} as const;

type Given = FlagValues<typeof flags>;
type Change = InterfaceOptions["change"];

/** For each subcommand its flags, how many arguments follow the container's id, and what it asks for. */
const subcommands: Readonly<
  Record<string, { takes: (keyof Given)[]; args: number; change: (given: Given, name: string) => Change }>
> = {
  add: {
    takes: ["tapname", "name", "ip", "mac", "mtu"],
    args: 0,
    change: ({ tapname, name, ip, mac, mtu }) => ({ do: "add", tapName: tapname ?? someName(), name, ip, mac, mtu }),
  },
  ls: { takes: [], args: 0, change: () => ({ do: "list" }) },
  rm: { takes: [], args: 1, change: (_, name) => ({ do: "remove", name }) },
  update: {
    takes: ["add-ip", "delete-ip", "mtu"],
    args: 1,
    change: (given, name) => ({
      do: "update",
      name,
      addIp: given["add-ip"],
      deleteIp: given["delete-ip"],
      mtu: given.mtu,
    }),
  },
};
const aliases: Readonly<Record<string, string>> = { list: "ls", delete: "rm" };

export const interfaceCommand = (perform: Perform<InterfaceOptions>): Command =>
  command({
    name: "interface",
    summary: "manage interfaces for container",
    usage: `add <container-id> | ls <container-id> | rm <container-id> <interface-name> | update <container-id> <interface-name>`,
    description: `add gives a container an interface beside those of its network namespace: its other end is
a tap in the caller's namespace. Its flags are tapname, name, ip, mac and mtu; those of
update are add-ip, delete-ip and mtu. ls and rm have none.`,
    words: Object.keys(subcommands),
    flags,
    args: [2, 3],
    run: async ({ flags: given, args: [word = "", id, name = ""], global }) => {
      const subcommand = subcommands[aliases[word] ?? word];
      if (subcommand === undefined) throw usage(`No help topic for 'interface ${word}'`);
      if ((name !== "") !== (subcommand.args === 1)) {
        throw usage(
          subcommand.args === 1 ? "please specify an interface" : `runv: "interface ${word}" takes no interface`,
        );
      }
      refuseOthers(flags, given, subcommand.takes);
      return perform({ global, id: containerId(id), change: subcommand.change(given, name) });
    },
  });

/** A tap's name that is not taken: at most 15 characters. */
function someName(): string {
  return `runv-${randomHex(4)}`;
}
