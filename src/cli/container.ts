/** What the commands that act on a container share. */

import { resolve } from "node:path";
import { RunvError } from "../base/error";
import { assertContainerId } from "../oci/container-id";
import { Failure } from "./failure";
import { int, string } from "./flags";

/** What does a command's work: src/container/<verb>.ts, loaded when it is called. Returns the exit code. */
export type Perform<Options> = (options: Options) => Promise<number>;

/** The usage of most commands. */
export const existingContainer = `<container-id>

Where "<container-id>" is the name for the instance of the container.`;

export const newContainer = `<container-id>

Where "<container-id>" is your name for the instance of the container that you
are starting. The name you provide for the container instance must be unique on
your host.`;

/** Flags of every command that starts a process. */
export const processFlags = {
  "console-socket": string(
    "path to an AF_UNIX socket which will receive a file descriptor referencing the master end of the console's pseudoterminal",
  ),
  "pidfd-socket": string(
    "path to an AF_UNIX socket which will receive a file descriptor referencing the container's process",
  ),
  "pid-file": string("specify the file to write the process id to"),
  "preserve-fds": int("Pass N additional file descriptors to the container (stdio + $LISTEN_FDS + N in total)", {
    default: 0,
  }),
} as const;

/** runV 1.0's way to give a terminal, from before runc had a better one. */
export function refuseConsole({ console }: { console: string | undefined }): void {
  if (console === undefined) return;
  throw new RunvError("UNSUPPORTED", `--console ${console}: a terminal cannot be given by its path`, {
    hint: "--console-socket PATH sends the new terminal to a socket",
  });
}

/** A container's id as given; names with a leading dot are runv's own directories. */
export function containerId(id = ""): string {
  assertContainerId(id);
  if (id.length <= 255 && !id.startsWith(".")) return id;
  throw new RunvError("ID_INVALID", "invalid container ID format", {
    hint: "an id has at most 255 characters and does not begin with a dot",
  });
}

/** The path as it is seen from the caller's directory; an empty one is none. */
export function absolute(path: string | undefined): string | undefined {
  return path === undefined || path === "" ? undefined : resolve(path);
}

/** Does the work; says what failed, with that exit code, when it throws. */
export async function orFail(prefix: string, exitCode: number, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    throw new Failure(error, { prefix: `${prefix}: `, exitCode });
  }
}
