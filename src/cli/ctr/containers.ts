/** `ctr containers` */
import { print } from "../../base/output";
import { formatTime } from "../../base/time";
import { goJson } from "../../containerd/api/go-json";
import type { Message } from "../../containerd/api/messages";
import { timeOf } from "../../protobuf/timestamp";
import { int, string } from "../flags";
import { parseInteger } from "../values";
import { exec } from "./exec";
import { start } from "./start";
import { state } from "./state";
import { CtrFailure, type Group, required, subcommand } from "./subcommand";
import { formatColumns } from "./table";

const list = subcommand({
  name: "list",
  summary: "list all running containers",
  usage: "[ID]",
  flags: {},
  async run({ client, args: [id = ""] }) {
    const { containers } = await client.call("State", { id });
    const sorted = containers.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const rows = sorted.map(({ id, bundlePath, status, processes }) => [
      id,
      bundlePath,
      status,
      processes.map(({ pid }) => pid).join(","),
    ]);
    print(formatColumns([["ID", "PATH", "STATUS", "PROCESSES"], ...rows], 20, 3));
    return 0;
  },
});

const kill = subcommand({
  name: "kill",
  summary: "send a signal to a container or its processes",
  usage: "ID",
  flags: {
    pid: string("pid of the process to signal within the container", { short: "p", default: "init" }),
    signal: int("signal to send to the container", { short: "s", default: 15 }),
  },
  async run({ client, flags: { pid, signal }, args }) {
    await client.call("Signal", { id: required(args[0], "container id"), pid, signal });
    return 0;
  },
});

function changeStatus(name: string, summary: string, status: string) {
  return subcommand({
    name,
    summary,
    usage: "ID",
    flags: {},
    async run({ client, args }) {
      await client.call("UpdateContainer", { id: required(args[0], "container id"), pid: "init", status });
      return 0;
    },
  });
}

const stats = subcommand({
  name: "stats",
  summary: "get stats for running container",
  usage: "ID",
  flags: {},
  async run({ client, args: [id = ""] }) {
    print(goJson("StatsResponse", await client.call("Stats", { id })));
    return 0;
  },
});

const watch = subcommand({
  name: "watch",
  summary: "print container events",
  usage: "[ID]",
  flags: {},
  async run({ client, args: [id = ""] }) {
    if (id !== "") await client.call("State", { id });
    for await (const event of client.events({})) {
      if (id !== "" && event.id !== id) continue;
      const time = formatTime(timeOf(event.timestamp ?? {}));
      const fields = [
        `Type:${JSON.stringify(event.type)}`,
        `Id:${JSON.stringify(event.id)}`,
        `Status:0x${event.status.toString(16)}`,
        `Pid:${JSON.stringify(event.pid)}`,
        `Timestamp:${JSON.stringify(time)}`,
      ];
      print(`&types.Event{${fields.join(", ")}}\n`);
    }
    throw new CtrFailure("EOF");
  },
});

const updateFlags = {
  "memory-limit": string("in bytes"),
  "memory-reservation": string("in bytes"),
  "memory-swap": string("in bytes, memory and swap together"),
  "cpu-quota": string("in microseconds"),
  "cpu-period": string("in microseconds"),
  "cpu-shares": string("relative weight"),
  "kernel-limit": string("in bytes"),
  "kernel-tcp-limit": string("in bytes"),
  "blkio-weight": string("relative weight"),
  "cpuset-cpus": string("processors to use"),
  "cpuset-mems": string("memory nodes to use"),
} as const;

const update = subcommand({
  name: "update",
  summary: "update a containers resources",
  usage: "ID",
  flags: updateFlags,
  async run({ client, flags, args: [id = ""] }) {
    const number = (name: keyof typeof updateFlags) => readNumber(flags[name]);
    const resources: Message<"UpdateResource"> = {
      memoryLimit: number("memory-limit"),
      memoryReservation: number("memory-reservation"),
      memorySwap: number("memory-swap"),
      blkioWeight: number("blkio-weight"),
      cpuPeriod: number("cpu-period"),
      cpuQuota: number("cpu-quota"),
      cpuShares: number("cpu-shares"),
      cpusetCpus: flags["cpuset-cpus"] ?? "",
      cpusetMems: flags["cpuset-mems"] ?? "",
      kernelMemoryLimit: number("kernel-limit"),
      kernelTCPMemoryLimit: number("kernel-tcp-limit"),
    };
    await client.call("UpdateContainer", { id, resources });
    return 0;
  },
});

/** A number as Go's ParseUint reads it; 0 where there is none. */
function readNumber(text = ""): bigint {
  if (text === "") return 0n;
  const number = parseInteger(text);
  if (number !== undefined && number >= 0) return BigInt(number);
  throw new CtrFailure(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
}

export const containers: Group = {
  name: "containers",
  summary: "interact with running containers",
  commands: [
    exec,
    kill,
    list,
    changeStatus("pause", "pause a container", "paused"),
    changeStatus("resume", "resume a paused container", "running"),
    start,
    state,
    stats,
    watch,
    update,
  ],
  otherwise: list,
};
