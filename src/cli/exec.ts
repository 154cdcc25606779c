/** `runv exec` */

import { RunvError } from "../base/error";
import type { GlobalOptions } from "../base/settings";
import type { ExecOptions } from "../container/options";
import { type Command, command } from "./command";
import { absolute, containerId, orFail, type Perform, processFlags, refuseConsole } from "./container";
import { bool, type FlagValues, ints, string, strings } from "./flags";
import { parseInteger } from "./values";

const flags = {
  ...processFlags,
  cwd: string("current working directory in the container"),
  env: strings("set environment variables", { short: "e" }),
  tty: bool("allocate a pseudo-TTY", { short: "t" }),
  user: string("UID (format: <uid>[:<gid>])", { short: "u" }),
  "additional-gids": ints("additional gids", { short: "g" }),
  process: string("path to the process.json", { short: "p" }),
  detach: bool("detach from the container's process", { short: "d" }),
  "process-label": string("set the asm process label for the process commonly used with selinux"),
  apparmor: string("set the apparmor profile for the process"),
  "no-new-privs": bool("set the no new privileges value for the process"),
  cap: strings("add a capability to the bounding set for the process", { short: "c" }),
  cgroup: strings("run the process in an (existing) sub-cgroup(s). Format is [<controller>:]<cgroup>."),
  "ignore-paused": bool("allow exec in a paused container"),
  console: string("of runV 1.0; refused", { hidden: true }),
  "no-subreaper": bool("accepted for runV 1.0's callers", { hidden: true }),
} as const;

export const exec = (perform: Perform<ExecOptions>): Command =>
  command({
    name: "exec",
    summary: "execute new process inside the container",
    usage: `<container-id> <command> [command options]  || -p process.json <container-id>

Where "<container-id>" is the name for the instance of the container and
"<command>" is the command to be executed in the container.
"<command>" can't be empty unless a "-p" flag provided.

EXAMPLE:
For example, if the container is configured to run the linux ps command the
following will output a list of processes running in the container:

       # runv exec <container-id> ps`,
    flags,
    args: [1, Number.POSITIVE_INFINITY],
    flagsFirst: true,
    run: ({ flags, args, global }) => orFail("exec failed", 255, async () => perform(execOptions(flags, args, global))),
  });

function execOptions(
  values: FlagValues<typeof flags>,
  [id, ...command]: readonly string[],
  global: GlobalOptions,
): ExecOptions {
  refuseConsole(values);
  return {
    global,
    id: containerId(id),
    command,
    process: absolute(values.process),
    consoleSocket: absolute(values["console-socket"]),
    pidfdSocket: absolute(values["pidfd-socket"]),
    pidFile: absolute(values["pid-file"]),
    preserveFds: values["preserve-fds"],
    detach: values.detach,
    ignorePaused: values["ignore-paused"],
    cwd: values.cwd || undefined,
    env: values.env,
    tty: values.tty,
    user: values.user ? parseUser(values.user) : undefined,
    additionalGids: values["additional-gids"],
    capabilities: values.cap,
    noNewPrivs: values["no-new-privs"],
    processLabel: values["process-label"] || undefined,
    apparmor: values.apparmor || undefined,
    cgroups: values.cgroup,
  };
}

function parseUser(text: string): { uid: number; gid: number | undefined } {
  const id = (part: string, what: string) => {
    const number = parseInteger(part);
    if (number !== undefined && number >= 0 && number < 0xffffffff) return number;
    throw new RunvError("USAGE", `--user: parsing ${part} as int for ${what} failed`, {
      hint: "exec takes numbers only, UID or UID:GID, since it does not read the container's /etc/passwd",
    });
  };
  const colon = text.indexOf(":");
  if (colon < 0) return { uid: id(text, "uid"), gid: undefined };
  return { uid: id(text.slice(0, colon), "uid"), gid: id(text.slice(colon + 1), "gid") };
}
