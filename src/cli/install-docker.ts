/** `runv install-docker`: makes runv a runtime of Docker's, and no longer. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, RunvError } from "../base/error";
import { print } from "../base/output";
import { type Command, command } from "./command";
import { absolute } from "./container";
import { difference, withoutRuntime, withRuntime } from "./docker-config";
import { bool, string } from "./flags";

export const installDocker: Command = command({
  name: "install-docker",
  summary: "make runv a runtime of Docker's",
  description: `The install-docker command shows the change to Docker's daemon.json, and makes it.
Docker has to be told then: systemctl reload docker.

EXAMPLE:
For example, to run a container in a virtual machine:

       # runv install-docker
       # systemctl reload docker
       # docker run --rm --runtime runv debian uname -a`,
  flags: {
    undo: bool("take runv out again"),
    "dry-run": bool("only show the change", { short: "n" }),
    default: bool("make it the runtime of containers that name none"),
    name: string("name of the runtime, for docker run --runtime", { default: "runv" }),
    config: string("Docker's configuration file", { default: "/etc/docker/daemon.json" }),
  },
  args: [0, 0],
  run: async ({ flags }) => {
    const file = absolute(flags.config) ?? flags.config;
    const before = read(file);
    const runtime = { name: flags.name, path: process.execPath, isDefault: flags.default };
    const after = flags.undo ? withoutRuntime(before, file, flags.name) : withRuntime(before, file, runtime);
    if (after === before || isSame(before, after)) {
      print(`${file}: nothing to change\n`);
      return 0;
    }
    print(`${file}:\n${difference(pretty(before), after ?? "")}`);
    if (flags["dry-run"]) return 0;
    write(file, after);
    print("now tell Docker: systemctl reload docker, or kill -HUP to dockerd\n");
    return 0;
  },
});

/** Whether two files say the same. */
function isSame(before: string | undefined, after: string | undefined): boolean {
  return before !== undefined && pretty(before) === after;
}

/** A file as this command writes it, so that only what changes is shown. */
function pretty(text: string | undefined): string {
  return text === undefined || text.trim() === "" ? "" : `${JSON.stringify(JSON.parse(text), null, 2)}\n`;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new RunvError("DOCKER_CONFIG", `read ${file}: ${messageOf(cause)}`, { cause });
  }
}

function write(file: string, text: string | undefined): void {
  try {
    if (text === undefined) {
      rmSync(file);
      return;
    }
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.runv`, text, { mode: 0o644 });
    renameSync(`${file}.runv`, file);
  } catch (cause) {
    throw new RunvError("DOCKER_CONFIG", `write ${file}: ${messageOf(cause)}`, { cause, hint: "it takes root" });
  }
}
