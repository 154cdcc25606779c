/** `runv spec` */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RunvError } from "../base/error";
import { fileProblem } from "../base/file-problem";
import { command } from "./command";
import { bool, string } from "./flags";

const description = `The spec command creates the new specification file named "config.json" for
the bundle.

The spec generated is just a starter file. Editing of the spec is required to
achieve desired results. For example, the newly generated spec includes an args
parameter that is initially set to call the "sh" command when the container is
started. Calling "sh" may work for an ubuntu container or busybox, but will not
work for containers that do not include the "sh" program.

EXAMPLE:
  To run docker's hello-world container one needs to set the args parameter
in the spec to call hello. This can be done using the sed command or a text
editor. The following commands create a bundle for hello-world, change the
default args parameter in the spec from "sh" to "/hello", then run the hello
command in a new hello-world container named container1:

    mkdir hello
    cd hello
    docker pull hello-world
    docker export $(docker create hello-world) > hello-world.tar
    mkdir rootfs
    tar -C rootfs -xf hello-world.tar
    runv spec
    sed -i 's;"sh";"/hello";' config.json
    runv run container1

In the run command above, "container1" is the name for the instance of the
container that you are starting. The name you provide for the container instance
must be unique on your host.`;

export const spec = command({
  name: "spec",
  summary: "create a new specification file",
  usage: "",
  description,
  flags: {
    bundle: string("path to the root of the bundle directory", { short: "b" }),
    rootless: bool("generate a configuration for a rootless container"),
  },
  args: [0, 0],
  async run({ flags }) {
    const { formatDefaultConfig } = await import("../oci/spec");
    const ids = { uid: process.geteuid!(), gid: process.getegid!() };
    const cgroup2 = existsSync("/sys/fs/cgroup/cgroup.controllers");
    const text = formatDefaultConfig(flags.rootless ? { rootless: ids, cgroup2 } : { cgroup2 });
    write(join(flags.bundle ?? "", "config.json"), text);
    return 0;
  },
});

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw new RunvError("SPEC_UNWRITABLE", `write ${file}: ${fileProblem(error)}`, { cause: error });
    }
    throw new RunvError("SPEC_EXISTS", "File config.json exists. Remove it first");
  }
}
