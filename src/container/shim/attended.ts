/**
 * A process that a daemon looks after. Most daemons come and go while it runs, so nothing of it is the daemon's: its shim opens the files
 * that are its standard streams, listens in a directory for what a daemon has to say, and records its end there.
 */
import { fstatSync, openSync } from "node:fs";
import { RunvError } from "../../base/error";
import { fileProblem } from "../../base/file-problem";
import { O_APPEND, O_CLOEXEC, O_NOCTTY, O_RDWR } from "../../linux/constants";
import { controlSocket } from "../../sandbox/paths";
import { decodeU32, type Frame, maxToGuest } from "../../wire/frame";
import { listenFrames } from "../../wire/frame-socket";
import { ShimType } from "./shim-messages";

export interface Attended {
  /** Where the shim listens and records the process's end (`exit.json`). It belongs to this process alone. */
  directory: string;
  /** Paths of the standard streams, mostly FIFOs. An empty one is /dev/null. */
  stdin: string;
  stdout: string;
  stderr: string;
  /** The daemon does not come back: its end is the process's. */
  tied?: boolean;
}

/** What a daemon may ask of a shim. */
export interface DaemonRequests {
  closeStdin(): void;
  resize(rows: number, columns: number): void;
  signal(number: number): void;
}

/**
 * Opens the standard streams. Both ends of a FIFO are opened: then neither opening nor writing depends on who else has it open, and
 * what nobody reads now is kept for who reads later (fifo(7)).
 * @throws RunvError STDIO
 */
export function openStreams({ stdin, stdout, stderr }: Attended): [number, number, number] {
  return [open("stdin", stdin), open("stdout", stdout), open("stderr", stderr)];
}

/** Whether the descriptor is of a FIFO. */
export function isFifo(fd: number): boolean {
  return fstatSync(fd).isFIFO();
}

/** Listens for daemons; a connection tells them, by its end, of the shim's. */
export function listenForDaemon({ directory }: Attended, requests: DaemonRequests): void {
  listenFrames(controlSocket(directory), maxToGuest, () => ({
    frame: (frame) => take(frame, requests),
    close: () => {},
  }));
}

function take({ type, payload }: Frame, requests: DaemonRequests): void {
  if (type === ShimType.closeStdin) requests.closeStdin();
  else if (type === ShimType.resize) requests.resize(decodeU32(payload, 0) ?? 0, decodeU32(payload, 1) ?? 0);
  else if (type === ShimType.signal) requests.signal(decodeU32(payload) ?? 0);
}

function open(name: string, path: string): number {
  try {
    return openSync(path === "" ? "/dev/null" : path, O_RDWR | O_APPEND | O_NOCTTY | O_CLOEXEC);
  } catch (cause) {
    throw new RunvError("STDIO", `open ${path} as ${name}: ${fileProblem(cause)}`, { cause });
  }
}
