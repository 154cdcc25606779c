/** Commands of runc and of runV 1.0 that runv knows by name and does not do: what they take is read, and why they fail is said. */
import { RunvError } from "../base/error";
import { type Command, command } from "./command";
import { existingContainer } from "./container";
import { bool, type Flags, string, strings } from "./flags";

const images = {
  "image-path": string("path to save criu image files"),
  "work-path": string("path to save work files and logs"),
  "tcp-established": bool("allow open tcp connections"),
  "ext-unix-sk": bool("allow external unix sockets"),
  "shell-job": bool("allow shell jobs"),
  "lazy-pages": bool("use userfaultfd to lazily migrate memory pages"),
  "file-locks": bool("handle file locks, for safety"),
  "manage-cgroups-mode": string("cgroups mode: 'soft' (default), 'full' and 'strict'"),
  "empty-ns": strings("a namespace that is not to be restored"),
  "auto-dedup": bool("enable auto deduplication of memory images"),
} as const;

const checkpointFlags = {
  ...images,
  "parent-path": string("path for previous criu image files in pre-dump"),
  "leave-running": bool("leave the process running after checkpointing"),
  "page-server": string("ADDRESS:PORT of the page server"),
  "status-fd": string("criu writes \\0 to this FD once lazy-pages is ready"),
  "pre-dump": bool("dump container's memory information only, leave the container running after this"),
  "tcp-skip-in-flight": bool("skip in-flight tcp connections"),
  "link-remap": bool("allow one to link unlinked files back when possible"),
} as const;

const restoreFlags = {
  ...images,
  "console-socket": string(
    "path to an AF_UNIX socket which will receive a file descriptor referencing the master end of the console's pseudoterminal",
  ),
  bundle: string("path to the root of the bundle directory", { short: "b" }),
  detach: bool("detach from the container's process", { short: "d" }),
  "pid-file": string("specify the file to write the process id to"),
  "no-subreaper": bool("disable the use of the subreaper used to reap reparented processes"),
  "no-pivot": bool("do not use pivot root to jail process inside rootfs"),
  "lsm-profile": string("specify an LSM profile to be used during restore in the form of TYPE:NAME"),
  "lsm-mount-context": string("specify an LSM mount context to be used during restore"),
} as const;

function refused(name: string, summary: string, flags: Flags, usage: string, why: string, hint: string): Command {
  return command({
    name,
    summary,
    usage,
    flags,
    args: [0, Number.POSITIVE_INFINITY],
    hidden: true,
    run: async () => {
      throw new RunvError("UNSUPPORTED", `${name}: ${why}`, { hint });
    },
  });
}

const criu =
  "a container in a virtual machine is not saved by CRIU, and runv does not save machines with containers yet";

export const checkpoint = refused(
  "checkpoint",
  "checkpoint a running container",
  checkpointFlags,
  existingContainer,
  criu,
  "runv pause stops a container for a while",
);

export const restore = refused(
  "restore",
  "restore a container from a previous checkpoint",
  restoreFlags,
  existingContainer,
  criu,
  "start the container anew",
);
