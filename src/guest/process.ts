import { RunvError } from "../base/error";
import { errnoText } from "../linux/errno";
import type { Program } from "../program/program";
import { decodeU32, encodeU32, type Frame, FrameType } from "../wire/frame";
import type { Send } from "./guest";

/** Most bytes that a program may answer: a hostile guest must not fill the host's memory. */
const maxAnswer = 16 << 20;

/** Where a process got to: it waits at `stop`, its program ended, it became another program, or it died before any of these. */
export interface Milestone {
  at: "stopped" | "done" | "execed" | "exited";
  /** What the program put out since the last milestone. */
  output: Uint8Array;
}

/** Told of what a process does, as it happens. Payloads are good until the call returns. */
export interface ProcessListener {
  started?(pid: number): void;
  /** Output; grant as much again with `credit` when it was taken. */
  data?(stream: number, bytes: Uint8Array): void;
  /** An output ended, or (0) nobody reads stdin any more. */
  eof?(stream: number): void;
  /** So many more bytes may be written to stdin. */
  credit?(bytes: number): void;
  /** The process is dead; output may still come. */
  exit?(waitStatus: number): void;
  /** The last word. */
  closed?(): void;
}

const refusals = ["", "malformed program", "too many processes", "no pipes", "pid namespace to join", "clone"];

/** A process in the guest, from the program that it starts with to its exit. */
export class GuestProcess {
  /** Its process id in the guest, once it is known. */
  pid: number | undefined;
  /** Its wait status, as wait(2) encodes it. Rejects when the process could not be started or the guest is gone. */
  readonly exited: Promise<number>;
  readonly #exit = Promise.withResolvers<number>();
  readonly #output: Uint8Array[] = [];
  #outputSize = 0;
  readonly #reached: (Milestone | Error)[] = [];
  /** A guest that repeats its last words is not heard again: they set things in motion. */
  #hasExited = false;
  #hasClosed = false;
  #waiting: { resolve: (milestone: Milestone) => void; reject: (error: Error) => void } | undefined;

  constructor(
    readonly handle: number,
    readonly program: Program,
    private readonly send: Send,
    private readonly listener: ProcessListener,
  ) {
    this.exited = this.#exit.promise;
    this.exited.catch(() => {});
  }

  /**
   * Waits for the next milestone.
   * @throws RunvError GUEST_CALL_FAILED when an instruction failed, GUEST_REFUSED when the guest did not start the process,
   *   GUEST_LOST
   */
  next(): Promise<Milestone> {
    const reached = this.#reached.shift();
    if (reached instanceof Error) return Promise.reject(reached);
    if (reached !== undefined) return Promise.resolve(reached);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Lets a stopped program go on. */
  go(): void {
    this.send(FrameType.go, this.handle);
  }

  signal(number: number): void {
    this.send(FrameType.signal, this.handle, encodeU32(number));
  }

  write(bytes: Uint8Array): void {
    this.send(FrameType.data, this.handle, bytes, 0);
  }

  /** Closes stdin (0), or says that nobody reads an output (1, 2) any more. */
  end(stream: number): void {
    this.send(FrameType.eof, this.handle, undefined, stream);
  }

  /** Grants output. */
  credit(stream: number, bytes: number): void {
    this.send(FrameType.credit, this.handle, encodeU32(bytes), stream);
  }

  resize(rows: number, columns: number): void {
    this.send(FrameType.resize, this.handle, new Uint8Array(new Uint16Array([rows, columns, 0, 0]).buffer));
  }

  /** Takes a frame of this process. */
  take(frame: Frame): void {
    const { type, payload, stream } = frame;
    const number = decodeU32(payload);
    if (type === FrameType.data) this.listener.data?.(stream, payload);
    else if (type === FrameType.eof) this.listener.eof?.(stream);
    else if (type === FrameType.output) this.#takeOutput(payload);
    else if (type === FrameType.stopped) this.#reach("stopped");
    else if (type === FrameType.done) this.#reach("done");
    else if (type === FrameType.execed) this.#reach("execed");
    else if (type === FrameType.closed) this.#close();
    else if (number === undefined) return;
    else if (type === FrameType.credit) this.listener.credit?.(number);
    else if (type === FrameType.started) this.#start(number);
    else if (type === FrameType.failed) this.#fail(this.program.failure(number, decodeU32(payload, 1) ?? 0));
    else if (type === FrameType.refused) this.lost(refused(number, decodeU32(payload, 1) ?? 0));
    else if (type === FrameType.exit) this.#end(number);
  }

  #end(waitStatus: number): void {
    if (this.#hasExited) return;
    this.#hasExited = true;
    this.#exit.resolve(waitStatus);
    this.listener.exit?.(waitStatus);
    this.#reach("exited");
  }

  #close(): void {
    if (this.#hasClosed) return;
    this.#hasClosed = true;
    this.listener.closed?.();
  }

  /** Says that the process is out of reach. */
  lost(error: Error): void {
    this.#exit.reject(error);
    this.#fail(error);
  }

  #start(pid: number): void {
    this.pid = pid;
    this.listener.started?.(pid);
  }

  #takeOutput(bytes: Uint8Array): void {
    this.#outputSize += bytes.length;
    if (this.#outputSize > maxAnswer) {
      this.#fail(new RunvError("GUEST_MISBEHAVES", `the guest answers with more than ${maxAnswer} bytes`));
    } else this.#output.push(bytes.slice());
  }

  #reach(at: Milestone["at"]): void {
    const output = this.#output.length === 1 ? this.#output[0]! : Buffer.concat(this.#output);
    this.#output.length = 0;
    this.#outputSize = 0;
    this.#settle({ at, output });
  }

  #fail(error: Error): void {
    this.#output.length = 0;
    this.#settle(error);
  }

  #settle(reached: Milestone | Error): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) {
      // A guest that repeats itself without end fills no memory: no program has more milestones than this ahead.
      if (this.#reached.length < 8) this.#reached.push(reached);
    } else if (reached instanceof Error) waiting.reject(reached);
    else waiting.resolve(reached);
  }
}

function refused(errno: number, stage: number): RunvError {
  const what = refusals[stage] ?? "";
  return new RunvError("GUEST_REFUSED", `start a process in the guest${what && ` (${what})`}: ${errnoText(errno)}`);
}

/** The exit code that a shell and a runtime report for a wait status: 128 + N for a death by signal N. */
export function exitCode(waitStatus: number): number {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? (waitStatus >> 8) & 0xff : 128 + signal;
}
