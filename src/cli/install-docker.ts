/** `runv install-docker`: makes runv a runtime of Docker's, and no longer. */
import { changeFile } from "./change-file";
import { type Command, command } from "./command";
import { absolute } from "./container";
import { withoutRuntime, withRuntime } from "./docker-config";
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
    const runtime = { name: flags.name, path: process.execPath, isDefault: flags.default };
    return changeFile({
      file,
      change: (text) => (flags.undo ? withoutRuntime(text, file, flags.name) : withRuntime(text, file, runtime)),
      pretty: (text) => (text.trim() === "" ? "" : `${JSON.stringify(JSON.parse(text), null, 2)}\n`),
      dryRun: flags["dry-run"],
      code: "DOCKER_CONFIG",
      next: "now tell Docker: systemctl reload docker, or kill -HUP to dockerd",
    });
  },
});
