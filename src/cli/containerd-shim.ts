/** `runv containerd-shim`, also called containerd-shim-runv-v2, which containerd starts. */
import { print, writeAll } from "../base/output";
import { version } from "../base/version";
import { type Command, command } from "./command";
import { bool, string } from "./flags";
import { usage } from "./parse";

export const containerdShim: Command = command({
  name: "containerd-shim",
  summary: "serve a container to containerd 1.6 and later, which starts this itself",
  usage: "start|delete",
  description: `By its link containerd-shim-runv-v2 it is containerd's runtime io.containerd.runv.v2:

   # ctr run --rm --runtime io.containerd.runv.v2 IMAGE ID COMMAND`,
  words: ["start", "delete"],
  flags: {
    namespace: string("containerd's namespace of the container"),
    address: string("containerd's socket"),
    "publish-binary": string("program that publishes events where there is no socket for them"),
    id: string("the container's id"),
    bundle: string("its bundle (default: the current directory)"),
    debug: bool("enable debug logging"),
    socket: string("accepted for containerd; the shim chooses its own", { hidden: true }),
    info: bool("tell what this runtime is, as containerd reads it"),
    v: bool("print the version"),
  },
  args: [0, 1],
  run: async ({ flags, args: [action], global }) => {
    if (flags.v) {
      print(`containerd-shim-runv-v2:\n  Version:  ${version}\n`);
      return 0;
    }
    if (flags.info) {
      writeAll(1, (await import("../task/info")).runtimeInfo());
      return 0;
    }
    const { namespace = "", address = "", id = "", debug } = flags;
    if (namespace === "" || id === "") throw usage("-namespace and -id are needed");
    const bundle = flags.bundle || process.cwd();
    if (action === "delete") {
      const { deleteShim } = await import("../task/delete");
      writeAll(1, await deleteShim({ global, namespace, address, id, bundle }));
      return 0;
    }
    if (action !== "start") throw usage(`unknown action ${JSON.stringify(action ?? "")}: start or delete`);
    const { startShim } = await import("../task/start");
    const { TTRPC_ADDRESS: ttrpcAddress = "", MAX_SHIM_VERSION: mostVersion } = process.env;
    const publisher = { namespace, address, ttrpcAddress, publishBinary: flags["publish-binary"] ?? "" };
    print(await startShim({ global, id, bundle, debug, publisher, mostVersion }));
    return 0;
  },
});
