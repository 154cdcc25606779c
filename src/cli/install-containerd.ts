/** `runv install-containerd`: makes runv a runtime of containerd's, for Kubernetes, and no longer. */
import { RunvError } from "../base/error";
import { changeFile } from "./change-file";
import { type Command, command } from "./command";
import { absolute } from "./container";
import { withoutRuntime, withRuntime } from "./containerd-config";
import { bool, string } from "./flags";

export const installContainerd: Command = command({
  name: "install-containerd",
  summary: "make runv a runtime of containerd's, for Kubernetes",
  description: `The install-containerd command shows the change to containerd's config.toml, and makes it.
It has to be of version 2 or 3; what is in it stays as it is.
containerd has to be restarted then: systemctl restart containerd.

EXAMPLE:
For example, to have pods with runtimeClassName: runv:

       # runv install-containerd
       # systemctl restart containerd
       # kubectl apply -f - <<< '{"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass",
           "metadata": {"name": "runv"}, "handler": "runv"}'`,
  flags: {
    undo: bool("take runv out again"),
    "dry-run": bool("only show the change", { short: "n" }),
    name: string("name of the runtime, the handler of a RuntimeClass", { default: "runv" }),
    config: string("containerd's configuration file", { default: "/etc/containerd/config.toml" }),
  },
  args: [0, 0],
  run: async ({ flags }) => {
    const { name } = flags;
    if (!/^[\w-]+$/.test(name)) {
      throw new RunvError("USAGE", `--name ${JSON.stringify(name)}: letters, digits, "-" and "_" are allowed`);
    }
    const file = absolute(flags.config) ?? flags.config;
    return changeFile({
      file,
      change: (text) => (flags.undo ? withoutRuntime(text, name) : withRuntime(text, file, name)),
      pretty: (text) => text,
      dryRun: flags["dry-run"],
      code: "CONTAINERD_CONFIG",
      next: "now tell containerd: systemctl restart containerd",
    });
  },
});
