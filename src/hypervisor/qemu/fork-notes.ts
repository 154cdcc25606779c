/** What is known of a QEMU from which others are forked: written by its template's process, read by the monitors of the others. */

/** As preload/fork.c has it: the number of a clone's connection. What it is sent has those behind it. */
export const connection = 64;

/** What a clone is given of its own, each for all of the parent's descriptors of that kind. */
export const givenKinds = ["qmp", "agent", "console", "stderr", "share", "tap"] as const;

export type GivenKind = (typeof givenKinds)[number];

/**
 * What it is sent, in this order: that (a clone of a template opens the share itself), this process's namespaces and root, a socket that closes
 * with this process, and another one over which it is asked for branches.
 */
export const sentKinds = [...givenKinds, "mounts", "root", "network", "life", "forks"] as const;

export type SentKind = (typeof sentKinds)[number];

/** What a program has room for, that is the machine's own. */
export interface ForkValues {
  /** Paths: where the jail is put, and what the machine shares. */
  directory: string;
  share: string;
  name: string;
  /** The monitor's: umask(2), getpriority(2), sched_getaffinity(2). */
  umask: bigint;
  nice: bigint;
  affinity: Uint8Array;
}

/** Bytes of a file, counted from its start. */
export interface Hole {
  at: number;
  size: number;
}

/** The program of system calls that makes a machine of its own of what was forked. */
export interface ForkTemplate {
  /** In base64. */
  program: string;
  holes: Partial<Record<keyof ForkValues, Hole>>;
  /** What its instructions are for, and how many in a row. */
  notes: readonly (readonly [string, number])[];
}

export interface ForkNotes extends ForkTemplate {
  freePageReporting: boolean;
  /** Which of `sentKinds` it takes. */
  sent: readonly SentKind[];
  /** The number of its connection. */
  connection: number;
  /** That of the socket which ties it to its monitor, where that is not the one with which it was sent. */
  life?: number;
  /** The numbers of QEMU's end of the socket to the server of its share, where that is loaded into it. */
  served: readonly number[];
  /** How long its machine's name is, of which there is a trace in the parent's memory. */
  nameLength: number;
}

/** Fills a program's holes. @throws RangeError when something is too long for its own */
export function fillProgram({ program, holes }: ForkTemplate, values: ForkValues): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(program, "base64"));
  for (const [name, { at, size }] of Object.entries(holes)) {
    const content = bytesOf(values[name as keyof ForkValues]);
    if (content.length > size) throw new RangeError(`${name}: ${content.length} bytes`);
    bytes.set(content, at);
  }
  return bytes;
}

function bytesOf(value: string | bigint | Uint8Array): Uint8Array {
  if (typeof value === "bigint") return new Uint8Array(new BigInt64Array([value]).buffer);
  return typeof value === "string" ? Buffer.from(`${value}\0`) : value;
}

/** What an instruction of the program is for. */
export function noteOf({ notes }: ForkTemplate, index: number): string {
  let rest = index;
  for (const [doing, count] of notes) {
    if (rest < count) return doing;
    rest -= count;
  }
  return "fork qemu";
}
