/**
 * What a command says to the shim that it starts, over the socket that the shim inherits as descriptor 3. First the command sends
 * `begin` and the program in a RUN frame; the shim answers `ready` or `failed`; the command ends with `release`. A shim whose
 * command goes before that ends itself: nobody knows of it.
 */

import type { Note } from "../../program/program";
import type { Attended } from "./attended";
import type { RootView } from "./root-view";

export const ShimType = {
  /** JSON: `Begin`. */
  begin: 96,
  /** JSON: `Ready`. */
  ready: 97,
  /** JSON: `PackedError`. */
  failed: 98,
  /** None. */
  release: 99,
  /** From a daemon, over the socket in the directory of `Attended`. None: stdin ends after what is in it now. */
  closeStdin: 100,
  /** From a daemon. u32 rows, u32 columns. */
  resize: 101,
  /** From a daemon. u32: a signal for the process. */
  signal: 102,
  /** From a shim whose process has ended, to who carries the rest. JSON: `Rest`. */
  rest: 103,
  /** From a shim, its last word to who carries the rest. JSON: for standard output and error, how much it has not granted again. */
  owed: 104,
} as const;

/** The descriptor of the shim that is this socket. */
export const shimSocket = 3;

export interface Begin {
  /** The container's id. */
  id: string;
  /** The sandbox's directory. */
  sandbox: string;
  /** The process is there, and has this handle: there is no program. */
  running?: number;
  /** What the program's instructions are for: each note with how many instructions it holds for. */
  notes: [count: number, note: Note][];
  /** What is to be done for the process when it stops for the first time, before it goes on: a program in base64, with its notes. */
  outer?: { program: string; notes: Begin["notes"] };
  /** The standard streams are a terminal, to be carried to the guest's. */
  terminal: boolean;
  /** The container whose first process this is: its end is recorded, and until then the machine is held. */
  container?: ShimContainer | undefined;
  /** A daemon looks after the process: then the shim's own standard streams are nothing. */
  attended?: Attended | undefined;
  /** What of the host is seen through the shim of a container's first process. */
  view?: RootView | undefined;
  /** The command stays in the foreground: when it dies, the terminal is given back as it was and the process hung up. */
  foreground: boolean;
}

export interface ShimContainer {
  id: string;
  directory: string;
  /** The directories of its cgroup on the host. */
  cgroup: readonly string[];
  /** It has a limit of memory. */
  limited: boolean;
}

/** What a process is that has ended, while others hold its output. */
export interface Rest {
  /** The sandbox's directory. */
  sandbox: string;
  /** The process in the guest. */
  handle: number;
}

export interface Ready {
  /** The process in the guest. */
  handle: number;
}

/** Packs notes: most instructions share theirs with their neighbours. */
export function packNotes(notes: readonly Note[]): Begin["notes"] {
  const packed: Begin["notes"] = [];
  let last: Begin["notes"][number] | undefined;
  for (const note of notes) {
    if (last?.[1] === note) {
      last[0]++;
      continue;
    }
    last = [1, note];
    packed.push(last);
  }
  return packed;
}

export function unpackNotes(packed: Begin["notes"]): Note[] {
  return packed.flatMap(([count, note]) => Array<Note>(count).fill(note));
}
