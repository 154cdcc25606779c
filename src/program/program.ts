import { RunvError } from "../base/error";
import { errnoText } from "../linux/errno";

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

/** A program in the form that the guest takes, with the source map that explains its failures. */
export class Program {
  /**
   * @param bytes the payload of a RUN frame
   * @param notes for each instruction what it is for
   */
  constructor(
    readonly bytes: Uint8Array,
    readonly notes: readonly string[],
  ) {}

  /** What failed when the guest answers FAILED with an instruction's index and an errno. */
  failure(index: number, errno: number): RunvError {
    const doing = this.notes[index] || `instruction ${index} of a guest program`;
    return new RunvError("GUEST_CALL_FAILED", `${doing}: ${errnoText(errno)}`);
  }
}
