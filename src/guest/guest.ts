import { RunvError } from "../base/error";
import { SIGKILL } from "../linux/signals";
import { Program } from "../program/program";
import { decodeU32, type Frame, FrameType } from "../wire/frame";
import { GuestProcess, type ProcessListener } from "./process";

/** The handles of processes that were begun and have not ended, and the last that was taken. */
export interface KnownProcesses {
  next: number;
  handles: readonly number[];
}

/** Sends a frame towards the guest. */
export type Send = (type: number, process: number, payload?: Uint8Array, stream?: number) => void;

/**
 * The host's end of the guest's agent: runs programs in it and hands what comes back to the process it belongs to.
 * It needs frames going in and out and nothing else, so it serves a VM's channel, the monitor's control socket and an agent
 * on this very machine alike.
 */
export class Guest {
  readonly #processes = new Map<number, GuestProcess>();
  readonly #send: Send;
  readonly #base: number;
  #next = 0;
  #gone: Error | undefined;

  /**
   * @param send sends a frame
   * @param base handles are taken from base + 1 to base + 65535
   */
  constructor(send: Send, base = 0) {
    this.#send = send;
    this.#base = base;
  }

  /** Starts a program. What becomes of it is told by the process's promises and, if given, to the listener. */
  run(program: Program, listener: ProcessListener = {}): GuestProcess {
    const handle = this.#freeHandle();
    const process = new GuestProcess(handle, program, this.#send, listener);
    if (this.#gone === undefined) {
      this.#processes.set(handle, process);
      this.#send(FrameType.run, handle, program.bytes);
    } else process.lost(this.#gone);
    return process;
  }

  /** Knows a process of another owner's from now on, whose program has been told of. */
  adopt(handle: number, listener: ProcessListener): GuestProcess {
    const process = new GuestProcess(handle, new Program(new Uint8Array(), []), this.#send, listener);
    if (this.#gone === undefined) this.#processes.set(handle, process);
    else process.lost(this.#gone);
    return process;
  }

  /**
   * Runs a program that does not become another one.
   * @returns what it put out
   * @throws RunvError GUEST_CALL_FAILED, GUEST_REFUSED, GUEST_LOST
   */
  async call(program: Program): Promise<Uint8Array> {
    const { at, output } = await this.run(program).next();
    if (at !== "done")
      throw new RunvError("GUEST_CALL_FAILED", `${program.notes[0]?.doing}: its process ended early (${at})`);
    return output;
  }

  /** What it knows of processes, for who goes on with a copy of this guest. */
  get known(): KnownProcesses {
    return { next: this.#next, handles: [...this.#processes.keys()] };
  }

  /** This guest is a copy of another one, whose processes it has: they are ended, and their handles not taken before. */
  inherit({ next, handles }: KnownProcesses): void {
    this.#next = next;
    for (const handle of handles) {
      const process = this.adopt(handle, {});
      process.signal(SIGKILL);
      for (const output of [1, 2]) process.end(output);
    }
  }

  /** Takes a frame of the guest. Frames of processes that nobody waits for are dropped. */
  take(frame: Frame): void {
    const process = this.#processes.get(frame.process);
    if (process === undefined) return;
    process.take(frame);
    if (frame.type === FrameType.closed || frame.type === FrameType.refused) this.#processes.delete(frame.process);
  }

  /** Says that the guest is gone: all that is waited for fails. */
  lost(error: Error = new RunvError("GUEST_LOST", "the virtual machine is gone")): void {
    this.#gone = error;
    for (const process of this.#processes.values()) process.lost(error);
    this.#processes.clear();
  }

  #freeHandle(): number {
    for (let tries = 0; tries < 0xffff; tries++) {
      this.#next = (this.#next % 0xffff) + 1;
      if (!this.#processes.has(this.#base + this.#next)) return this.#base + this.#next;
    }
    throw new RunvError("GUEST_BUSY", "run a program in the guest: all 65535 handles are in use");
  }
}

/** What the guest says of itself first. */
export interface Hello {
  version: number;
  machine: number;
  /** The kernel's release, with control characters removed. */
  release: string;
}

/** Reads a HELLO frame; undefined if it is none. */
export function decodeHello(frame: Frame): Hello | undefined {
  const version = decodeU32(frame.payload, 0);
  const machine = decodeU32(frame.payload, 1);
  if (frame.type !== FrameType.hello || version === undefined || machine === undefined) return undefined;
  const release = Buffer.from(frame.payload.subarray(8, 8 + 128)).toString("latin1");
  return { version, machine, release: release.replace(/[^\x20-\x7e]/g, "") };
}
