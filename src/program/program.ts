import { RunvError } from "../base/error";
import { commandErrnoText, errnoText } from "../linux/errno";
import { endedBy } from "../linux/signals";
import { headSize, instructionSize } from "./instruction";

/** What is said of the process that runs a program, before its first instruction. */
export interface ProgramHead {
  /** CLONE_NEW* bits with which the process is cloned. */
  flags?: number;
  /** The handle of a process in whose pid namespace this one is born. */
  join?: number;
  /** `Stdio` bits. */
  stdio?: number;
  /** Bytes that may be sent at once on each output. */
  credit?: number;
}

/** What an instruction is for: the beginning of the error when it fails. */
export interface Note {
  doing: string;
  /** The failure is that of the container's command: told in the words that Docker takes an exit code from. */
  command?: boolean;
  /** `doing` is the whole error; the errno adds nothing. */
  complete?: boolean;
  /** What the number is that a `fail` gives, where it is no errno: how another process ended. */
  errno?: "exit status" | "signal";
  /** The error's code, where it is not the usual one. */
  code?: string;
}

/** A program in the form that the guest takes, with the source map that explains its failures. */
export class Program {
  /**
   * @param bytes the payload of a RUN frame
   * @param notes for each instruction what it is for
   * @param stop the index of its last `stop`, -1 if it has none
   */
  constructor(
    readonly bytes: Uint8Array,
    readonly notes: readonly Note[],
    readonly stop = -1,
  ) {}

  /** Where in `bytes` its memory begins. */
  get dataAt(): number {
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset);
    return headSize + view.getUint32(20, true) * instructionSize + view.getUint32(24, true) * 8;
  }

  /** The same program with this number in the first eight bytes of its memory. */
  withArgument(value: number): Program {
    const bytes = this.bytes.slice();
    new DataView(bytes.buffer).setBigUint64(this.dataAt, BigInt(value), true);
    return new Program(bytes, this.notes, this.stop);
  }

  /** What failed when the guest answers FAILED with an instruction's index and an errno. */
  failure(index: number, errno: number): RunvError {
    return explain(this.notes[index], errno);
  }
}

/** The error of an instruction with this note. */
export function explain(note: Note = { doing: "run a program in the guest" }, errno: number): RunvError {
  const { doing, command = false, complete = false } = note;
  const text =
    note.errno !== undefined ? endText(note.errno, errno) : command ? commandErrnoText(errno) : errnoText(errno);
  const code = note.code ?? (command || complete ? "COMMAND_FAILED" : "GUEST_CALL_FAILED");
  return new RunvError(code, complete ? doing : `${doing}: ${text}`);
}

function endText(what: "exit status" | "signal", number: number): string {
  return what === "signal" ? endedBy(number) : `${what} ${number}`;
}
