/** `runv update` */
import { RunvError } from "../base/error";
import type { UpdateOptions } from "../container/options";
import { type Command, command } from "./command";
import { absolute, containerId, type Perform } from "./container";
import { type FlagValues, int, string } from "./flags";
import { parseBytes } from "./values";

const flags = {
  resources: string(
    `path to the file containing the resources to update or '-' to read from the standard input

The accepted format is as follow (unchanged values can be omitted):

{
  "memory": {
    "limit": 0,
    "reservation": 0,
    "swap": 0
  },
  "cpu": {
    "shares": 0,
    "quota": 0,
    "burst": 0,
    "period": 0,
    "realtimeRuntime": 0,
    "realtimePeriod": 0,
    "cpus": "",
    "mems": "",
    "idle": 0
  },
  "blockIO": {
    "weight": 0
  }
}

Note: if data is to be read from a file or the standard input, all
other options are ignored.
`,
    { short: "r" },
  ),
  "blkio-weight": int("Specifies per cgroup weight, range is from 10 to 1000"),
  "cpu-period": string("CPU CFS period to be used for hardcapping (in usecs). 0 to use system default"),
  "cpu-quota": string("CPU CFS hardcap limit (in usecs). Allowed cpu time in a given period"),
  "cpu-burst": string(
    "CPU CFS hardcap burst limit (in usecs). Allowed accumulated cpu time additionally for burst a given period",
  ),
  "cpu-share": string("CPU shares (relative weight vs. other containers)"),
  "cpu-rt-period": string("CPU realtime period to be used for hardcapping (in usecs). 0 to use system default"),
  "cpu-rt-runtime": string("CPU realtime hardcap limit (in usecs). Allowed cpu time in a given period"),
  "cpuset-cpus": string("CPU(s) to use"),
  "cpuset-mems": string("Memory node(s) to use"),
  "cpu-idle": string("set cgroup SCHED_IDLE or not, 0: default behavior, 1: SCHED_IDLE"),
  "kernel-memory": string("(obsoleted; do not use)", { hidden: true }),
  "kernel-memory-tcp": string("(obsoleted; do not use)", { hidden: true }),
  memory: string("Memory limit (in bytes)"),
  "memory-reservation": string("Memory reservation or soft_limit (in bytes)"),
  "memory-swap": string("Total memory usage (memory + swap); set '-1' to enable unlimited swap"),
  "pids-limit": int("Maximum number of pids allowed in the container"),
  "l3-cache-schema": string("The string of Intel RDT/CAT L3 cache schema"),
  "mem-bw-schema": string("The string of Intel RDT/MBA memory bandwidth schema"),
} as const;

export const update = (perform: Perform<UpdateOptions>): Command =>
  command({
    name: "update",
    summary: "update container resource constraints",
    usage: "<container-id>",
    flags,
    args: [1, 1],
    run: async ({ flags, args, global }) => {
      refuseCacheSchemas(flags);
      const file = flags.resources === "-" ? "-" : absolute(flags.resources);
      return perform({ global, id: containerId(args[0]), file, limits: limits(flags) });
    },
  });

type Values = FlagValues<typeof flags>;

/** In runc's words for a machine without them, as a guest is. */
function refuseCacheSchemas(values: Values): void {
  const refused = values["l3-cache-schema"]
    ? "Intel RDT/CAT: l3 cache schema"
    : "Intel RDT/MBA: memory bandwidth schema";
  if (!values["l3-cache-schema"] && !values["mem-bw-schema"]) return;
  throw new RunvError("UNSUPPORTED", `${refused} is not enabled`, { hint: "a virtual machine has no resctrl" });
}

/** The flags as the document that `--resources` would name, with what is given only. */
function limits(values: Values): Record<string, unknown> {
  const text = (name: keyof Values, parse: (text: string) => number | undefined) => readValue(values, name, parse);
  return {
    memory: {
      limit: text("memory", bytes),
      reservation: text("memory-reservation", bytes),
      swap: text("memory-swap", bytes),
      kernel: text("kernel-memory", bytes),
      kernelTCP: text("kernel-memory-tcp", bytes),
    },
    cpu: {
      period: text("cpu-period", unsigned),
      quota: text("cpu-quota", parseDecimal),
      burst: text("cpu-burst", unsigned),
      shares: text("cpu-share", unsigned),
      realtimePeriod: text("cpu-rt-period", unsigned),
      realtimeRuntime: text("cpu-rt-runtime", parseDecimal),
      idle: text("cpu-idle", parseDecimal),
      cpus: values["cpuset-cpus"],
      mems: values["cpuset-mems"],
    },
    // As runc since 1.4: 0 is a limit, too.
    pids: { limit: values["pids-limit"] === 0 ? 1 : values["pids-limit"] },
    blockIO: { weight: values["blkio-weight"] },
  };
}

function readValue(
  values: Values,
  name: keyof Values,
  parse: (text: string) => number | undefined,
): number | undefined {
  const text = values[name];
  if (typeof text !== "string" || text === "") return undefined;
  const value = parse(text);
  if (value !== undefined) return value;
  throw new RunvError("USAGE", `invalid value for ${name}: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function parseDecimal(text: string): number | undefined {
  const value = Number(text);
  return /^[+-]?\d+$/.test(text) && Number.isSafeInteger(value) ? value : undefined;
}

function unsigned(text: string): number | undefined {
  return /^\d/.test(text) ? parseDecimal(text) : undefined;
}

function bytes(text: string): number | undefined {
  return text === "-1" ? -1 : parseBytes(text);
}
