/** `runv pool start|status|stop` */
import { getPriority } from "node:os";
import { RunvError } from "../base/error";
import { print } from "../base/output";
import type { GlobalOptions } from "../base/settings";
import type { PoolStatus } from "../sandbox/pool/pool";
import { command } from "./command";
import { type FlagValues, int } from "./flags";
import { formatFlag, parseFormat } from "./list";
import { refuseOthers, usage } from "./parse";

const flags = {
  size: int("how many machines are to be ready"),
  cpus: int("virtual CPUs of the machines"),
  memory: int("memory of the machines in MiB"),
  format: formatFlag,
} as const;

type Given = FlagValues<typeof flags>;

const subcommands: Readonly<
  Record<string, { takes: (keyof Given)[]; run: (given: Given, global: GlobalOptions) => Promise<void> }>
> = {
  start: { takes: ["size", "cpus", "memory"], run: start },
  status: { takes: ["format"], run: status },
  stop: { takes: ["cpus", "memory"], run: stop },
};

export const pool = command({
  name: "pool",
  summary: "keep virtual machines ready",
  usage: `start | status | stop

start keeps --size machines of a shape ready, by default that of a container without limits, and
returns when the first one is. Containers of that shape take theirs from there; what they take is
replaced in the background. The machines are made with the global flags of this command.
status shows what is ready (--format).
stop ends the pools, or that of --cpus and --memory; containers go on.`,
  words: Object.keys(subcommands),
  flags,
  args: [1, 1],
  async run({ flags: given, args: [word = ""], global }) {
    const subcommand = subcommands[word];
    if (subcommand === undefined) throw usage(`No help topic for 'pool ${word}'`);
    refuseOthers(flags, given, subcommand.takes);
    for (const flag of ["size", "cpus", "memory"] as const) {
      if ((given[flag] ?? 1) < 1) throw usage(`--${flag} must be above 0`);
    }
    await subcommand.run(given, global);
    return 0;
  },
});

async function start({ size, cpus, memory }: Given, global: GlobalOptions): Promise<void> {
  const [{ settings }, { startPool }] = await Promise.all([
    import("../sandbox/settings"),
    import("../sandbox/pool/pool-command"),
  ]);
  const { kernel, initrd, driver, driverOptions, startTimeoutMs, templates, defaultCpus, defaultMemory, pool } =
    settings(global);
  if (templates === undefined) {
    const hint = "leave --no-template out";
    throw new RunvError("UNSUPPORTED", "machines of a pool are clones of a template", { hint });
  }
  const shape = { cpus: cpus ?? defaultCpus, memoryMiB: memory ?? defaultMemory };
  const machine = {
    kernel,
    initrd,
    driver,
    driverOptions,
    startTimeoutMs,
    templates,
    network: "new",
    ...shape,
  } as const;
  const { directory, reserveMiB } = pool;
  await startPool({ pool: directory, machine, size: size ?? pool.size, reserveMiB, nice: getPriority() });
}

async function status({ format }: Given, global: GlobalOptions): Promise<void> {
  const how = parseFormat(format);
  const pools = await poolsOf(global);
  if (how === "json") print(`${JSON.stringify(pools)}\n`);
  else {
    const { formatTable } = await import("../container/table");
    print(formatTable(["CPUS", "MEMORY", "SIZE", "READY", "TAKEN", "FAILED", "PID", "STATE"], pools.map(row)));
  }
}

function row({ cpus, memoryMiB, size, ready, taken, failed, keeper, state, problem }: PoolStatus): string[] {
  const numbers = [size, ready, taken, failed, keeper.pid].map(String);
  return [String(cpus), `${memoryMiB} MiB`, ...numbers, problem === undefined ? state : `${state}: ${problem}`];
}

async function stop({ cpus, memory }: Given, global: GlobalOptions): Promise<void> {
  const { stopPool } = await import("../sandbox/pool/pool-command");
  const pools = (await poolsOf(global)).filter(
    (pool) => (cpus ?? pool.cpus) === pool.cpus && (memory ?? pool.memoryMiB) === pool.memoryMiB,
  );
  for (const pool of pools) stopPool(pool);
}

async function poolsOf(global: GlobalOptions): Promise<PoolStatus[]> {
  const [{ poolSettings }, { listPools }] = await Promise.all([
    import("../sandbox/settings"),
    import("../sandbox/pool/pool"),
  ]);
  return listPools(poolSettings(global).directory);
}
