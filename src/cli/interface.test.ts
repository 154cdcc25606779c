import { expect, test } from "bun:test";
import type { GlobalOptions } from "../base/settings";
import type { InterfaceOptions } from "../container/options";
import { interfaceCommand } from "./interface";
import { parseFlags } from "./parse";

const global = { root: "/run/runv" } as GlobalOptions;

async function asked(line: string): Promise<InterfaceOptions["change"]> {
  const seen: InterfaceOptions[] = [];
  const command = interfaceCommand(async (options) => {
    seen.push(options);
    return 0;
  });
  const { flags, args } = parseFlags(command.flags, line.split(" "), true);
  await command.run({ flags, args, global });
  expect(seen[0]!.id).toBe("ID");
  return seen[0]!.change;
}

test("what the subcommands of runV 1.0 ask for", async () => {
  const name = "lan0";
  expect(await asked("add --tapname t --name lan0 --ip 10.0.0.1/8 --mac 02:00:00:00:00:01 --mtu 1400 ID")).toEqual({
    do: "add",
    tapName: "t",
    name,
    ip: "10.0.0.1/8",
    mac: "02:00:00:00:00:01",
    mtu: 1400,
  });
  expect(await asked("ls ID")).toEqual({ do: "list" });
  expect(await asked("list ID")).toEqual({ do: "list" });
  for (const word of ["rm", "delete"]) expect(await asked(`${word} ID lan0`)).toEqual({ do: "remove", name });
  expect(await asked("update ID lan0 --add-ip 10.0.0.2/8 --delete-ip 10.0.0.1/8 --mtu 1300")).toEqual({
    do: "update",
    name,
    addIp: "10.0.0.2/8",
    deleteIp: "10.0.0.1/8",
    mtu: 1300,
  });
});

test("a tap without a name gets one that fits", async () => {
  expect(await asked("add ID")).toMatchObject({
    tapName: expect.stringMatching(/^runv-[0-9a-f]{8}$/),
    name: undefined,
  });
});

test.each([
  ["rm ID", "please specify an interface"],
  ["ls ID lan0", "takes no interface"],
  ["rm --mtu 1400 ID lan0", "flag provided but not defined: -mtu"],
  ["nonsense ID", "No help topic"],
])("%s is refused", async (line, message) => {
  expect(asked(line)).rejects.toThrow(message);
});
