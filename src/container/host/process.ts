/**
 * A process of a container on this host, from the program that it begins as to the command that it becomes. The program is executed by the guest's
 * init, which is in sealed memory: what is in the container cannot change what the next one is started with (CVE-2019-5736).
 */
import { closeSync } from "node:fs";
import { RunvError } from "../../base/error";
import { readInit } from "../../image/init-binary";
import { SOCK_SEQPACKET } from "../../linux/constants";
import { errnoText } from "../../linux/errno";
import { type Identity, identityOfChild } from "../../linux/identity";
import { syscall } from "../../linux/local";
import { memoryFile } from "../../linux/memory-file";
import { receivePacket } from "../../linux/packet";
import { hasExecuted } from "../../linux/processes";
import { SIGKILL } from "../../linux/signals";
import { socketPair } from "../../linux/unix-socket";
import { reap } from "../../linux/wait";
import type { Program } from "../../program/program";
import { decodeU32, FrameType, frameHeaderSize } from "../../wire/frame";

/** The largest packet of a program, with its frame's head (guest/program.c). */
const mostPacket = (32 << 10) + 16;
/** The standard streams, which a process has before all others. */
const streams = 3;

/** Where a program finds the descriptors that it was given. */
export class GivenDescriptors {
  readonly #fds: number[] = [];

  /** @param preserved how many descriptors of the caller, from 3 on, the command keeps */
  constructor(readonly preserved: number) {}

  /** The socket of its words, and the file with the program, which the process closes. */
  get words(): number {
    return streams + this.preserved;
  }

  /** Gives a descriptor of this process. @returns its number in the other */
  give(fd: number): number {
    this.#fds.push(fd);
    return this.words + 1 + this.#fds.length;
  }

  get all(): readonly number[] {
    return this.#fds;
  }
}

/** What a process has come to. */
export type Reached = { at: "stopped"; index: number } | { at: "done" } | { at: "executed" };

/** A word of a program: the type of a frame, and its numbers. */
interface Word {
  type: number;
  numbers: [number, number];
  descriptor: number | undefined;
}

export class HostProcess {
  readonly #words: number;
  readonly #program: Program;
  /** Words that came before the one that tells its id. */
  readonly #early: Word[];
  readonly identity: Identity;
  /** The master of the terminal that its program has made; whoever takes it closes it. */
  terminal: number | undefined;

  private constructor(words: number, program: Program) {
    this.#words = words;
    this.#program = program;
    this.#early = [];
    this.identity = this.#born();
  }

  get pid(): number {
    return this.identity.pid;
  }

  /**
   * Starts a program as a child of this process.
   * @param given descriptors that it names
   * @throws RunvError PROCESS_START
   */
  static start(program: Program, given: GivenDescriptors): HostProcess {
    const [ours, theirs] = socketPair(0, SOCK_SEQPACKET);
    const init = memoryFile("runv-init", readInit());
    const file = memoryFile("runv-program", program.bytes);
    try {
      const { words, all, preserved } = given;
      const kept = Array.from({ length: preserved }, (_, index) => streams + index);
      const command = [`/proc/${process.pid}/fd/${init}`, "--spawn", String(words), String(2 + all.length)];
      const stdio = [0, 1, 2, ...kept, theirs, file, ...all] as never;
      // It ends as soon as it has cloned the process, and nobody else is to find it dead.
      Bun.spawnSync(command, { stdio, cwd: "/", env: {}, argv0: "runv-init" });
    } catch (cause) {
      closeSync(ours);
      throw new RunvError("PROCESS_START", `start init: ${(cause as Error).message}`, { cause });
    } finally {
      for (const fd of [theirs, init, file]) closeSync(fd);
    }
    try {
      return new HostProcess(ours, program);
    } catch (error) {
      closeSync(ours);
      throw error;
    }
  }

  /**
   * Waits, blocking, until the program stops, ends, or has become the command.
   * @throws RunvError what failed; PROCESS_LOST when it was killed
   */
  next(): Reached {
    for (;;) {
      const word = this.#early.shift() ?? receiveWord(this.#words);
      if (word === undefined) {
        if (hasExecuted(this.identity)) return { at: "executed" };
        throw lost();
      }
      const { type, numbers, descriptor } = word;
      if (descriptor !== undefined) this.terminal = descriptor;
      if (type === FrameType.stopped) return { at: "stopped", index: numbers[0] };
      if (type === FrameType.done) return { at: "done" };
      if (type === FrameType.failed) throw this.#program.failure(...numbers);
    }
  }

  /** Lets the program go on from where it stopped. @throws RunvError PROCESS_LOST */
  go(): void {
    try {
      syscall("write", this.#words, Uint8Array.of(0), 1);
    } catch (cause) {
      throw lost(cause);
    }
  }

  /** Listens to its program no more. */
  leave(): void {
    closeSync(this.#words);
  }

  /** Ends it at once, and waits for that. */
  kill(): void {
    syscall("kill", this.identity.pid, SIGKILL);
    reap(this.identity.pid);
  }

  /** Waits for init to tell the process's id. */
  #born(): Identity {
    for (;;) {
      const word = receiveWord(this.#words);
      if (word === undefined) throw new RunvError("PROCESS_START", "start the process: init has ended without a word");
      const [first, second] = word.numbers;
      if (word.type === FrameType.refused) {
        throw new RunvError("PROCESS_START", `${stages[second] ?? "start the process"}: ${errnoText(first)}`);
      }
      if (word.type !== FrameType.started) {
        this.#early.push(word);
        continue;
      }
      const identity = identityOfChild(first);
      if (identity === undefined) throw lost();
      return identity;
    }
  }
}

/** What init was about when it refused a process. */
const stages: Readonly<Record<number, string>> = {
  1: "read the program",
  4: "join the pid namespace",
  5: "clone the process",
};

/** Waits for a word; undefined when there will be none any more. */
function receiveWord(socket: number): Word | undefined {
  const { data, descriptor } = receivePacket(socket, mostPacket);
  if (data.length < frameHeaderSize) return undefined;
  const payload = data.subarray(frameHeaderSize);
  return { type: data[8]!, numbers: [decodeU32(payload, 0) ?? 0, decodeU32(payload, 1) ?? 0], descriptor };
}

/**
 * Hears how a process goes on whose program has been left, over a socket that it has accepted.
 * @returns undefined when it has become its command; else the index of the instruction that failed, and its errno
 * @throws RunvError PROCESS_LOST
 */
export function hearStart(socket: number, identity: Identity): [instruction: number, errno: number] | undefined {
  for (;;) {
    const word = receiveWord(socket);
    if (word?.type === FrameType.failed) return word.numbers;
    if (word !== undefined) continue;
    if (hasExecuted(identity)) return undefined;
    throw lost();
  }
}

function lost(cause?: unknown): RunvError {
  return new RunvError("PROCESS_LOST", "the container's process was killed before it could begin", { cause });
}
