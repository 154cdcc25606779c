/** `runv containerd`, also called runv-containerd */
import { join, resolve } from "node:path";
import { RunvError } from "../base/error";
import { openLog } from "../base/log";
import type { GlobalOptions } from "../base/settings";
import type { DaemonOptions } from "../containerd/daemon";
import { type Command, command } from "./command";
import type { Perform } from "./container";
import { bool, type FlagValues, string } from "./flags";
import { globalFlags, globalOptions } from "./global";
import { parseFlags, usage } from "./parse";
import { parseDuration } from "./values";

const defaultDirectory = "/run/runv-containerd";
/** Where the daemon listens, and clients look for it. */
export const defaultAddress = `unix://${defaultDirectory}/containerd.sock`;

/** A socket's path has at most 107 bytes (unix(7)); below these directories the longest has 50. */
const longestDirectory = 57;

const { root: _root, trace: _trace, ...general } = globalFlags;

const flags = {
  ...general,
  "state-dir": string("runtime state directory", { default: defaultDirectory }),
  "containerd-dir": string("containerd daemon state directory (default: that of --state-dir)"),
  listen: string("address on which the GRPC API will listen", { short: "l", default: defaultAddress }),
  "metrics-interval": string("interval for writing metrics to the log; 0 for never", { default: "5m0s" }),
  "solo-namespaced": bool("end with the last container"),
} as const;

export const containerd = (perform: Perform<DaemonOptions>): Command =>
  command({
    name: "containerd",
    summary: "serve the API of containerd 0.2, for Docker 1.11 to 17.05",
    usage: "",
    description: `Makes containers in virtual machines for clients of containerd 0.2:

   # runv-containerd --kernel KERNEL --initrd INITRD
   # docker daemon --containerd=/run/runv-containerd/containerd.sock

The containers live on when the daemon ends, and the next one finds them.`,
    flags,
    args: [0, 0],
    run: async ({ flags, global }) => {
      const merged = merge(flags, global);
      openLog({ file: merged.log, format: merged.logFormat, debug: merged.debug });
      return perform(daemonOptions(flags, merged));
    },
  });

/** What stands after the command's name goes before what stands in front of it. */
function merge(values: FlagValues<typeof flags>, front: GlobalOptions): GlobalOptions {
  const own = globalOptions({ ...values, root: front.root, trace: undefined });
  const given = Object.entries(own).filter(([, value]) => value !== undefined && value !== false);
  const format = values["log-format"] === globalFlags["log-format"].default ? front.logFormat : own.logFormat;
  return { ...front, ...Object.fromEntries(given), logFormat: format } as GlobalOptions;
}

function daemonOptions(values: FlagValues<typeof flags>, global: GlobalOptions): DaemonOptions {
  const stateDirectory = directory("state-dir", values["state-dir"]);
  const own = { ...global, root: join(stateDirectory, "containers") };
  const metricsIntervalMs = parseDuration(values["metrics-interval"]);
  if (metricsIntervalMs === undefined) {
    throw usage(`invalid value ${JSON.stringify(values["metrics-interval"])} for flag -metrics-interval: parse error`);
  }
  return {
    global: own,
    directory: directory("containerd-dir", values["containerd-dir"] || stateDirectory),
    listen: socketPath(values.listen),
    metricsIntervalMs,
    solo: values["solo-namespaced"],
    withRuntimeArgs: (args) => withRuntimeArgs(args, own),
  };
}

function directory(flag: string, path: string): string {
  const absolute = resolve(path);
  if (Buffer.byteLength(absolute) <= longestDirectory) return absolute;
  throw new RunvError("USAGE", `--${flag} ${path}: a path of more than ${longestDirectory} bytes`, {
    hint: "the paths of sockets below it would be too long",
  });
}

/** The path of an address: `unix:///run/x.sock`, or the path itself. */
function socketPath(address: string): string {
  const [, scheme, rest = address] = /^(\w+):\/\/(.*)$/.exec(address) ?? [];
  if (scheme === undefined || scheme === "unix") return resolve(rest);
  throw new RunvError("UNSUPPORTED", `--listen ${address}: the API is served on unix sockets only`);
}

/** Docker's arguments for the runtime are runc's flags before the command: `--systemd-cgroup=true`. */
function withRuntimeArgs(args: readonly string[], global: GlobalOptions): GlobalOptions {
  if (args.length === 0) return global;
  const { flags, args: rest } = parseFlags({ "systemd-cgroup": globalFlags["systemd-cgroup"] }, args, false);
  if (rest.length > 0) throw usage(`runtime argument ${rest[0]}: a flag was expected`);
  return { ...global, systemdCgroup: global.systemdCgroup || flags["systemd-cgroup"] };
}
