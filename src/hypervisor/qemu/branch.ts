/** Forks QEMU from one whose machine runs, and is paused: it was forked itself, from a template's process. */
import { readdirSync, readFileSync } from "node:fs";
import { messageOf, RunvError } from "../../base/error";
import { SO_RCVTIMEO, SOL_SOCKET } from "../../linux/constants";
import { errnoText } from "../../linux/errno";
import { SystemError, syscall } from "../../linux/local";
import { sendWithDescriptors } from "../../linux/send-descriptor";
import type { Forker } from "../driver";
import { branchProgram } from "./branch-program";
import { mostReceived, type RunningFiles, runningDescriptorsOf } from "./fork-descriptors";
import { type ForkNotes, connection as usual } from "./fork-notes";
import { memoryProblem, titleOf } from "./fork-parent";

/** The QEMU that is forked. */
interface Parent {
  pid: number;
  /** Its machine's name. */
  name: string;
  /** The socket over which it is asked. */
  forks: number;
  freePageReporting: boolean;
}

/** As preload/fork.c has it. */
const threadName = "runv-fork";
/** sys/ptrace.h, linux/wait.h */
const [PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT] = [17, 0x4206, 0x4207];
const PTRACE_O_SUSPEND_SECCOMP = 1 << 21;
const __WALL = 0x4000_0000;
/** How long QEMU may take to stop its threads, which it gives up after half of that. */
const timeoutSeconds = 10n;

/** Forks it as often as need be. Until it is closed its thread that forks is without its seccomp filter, which kills what forks. */
export class RunningForker implements Forker {
  readonly notes: ForkNotes;
  readonly #forks: number;
  readonly #thread: number;
  #closed = false;

  /** @throws RunvError VM_FORK, BRANCH_REFUSED */
  constructor({ pid, name, forks, freePageReporting }: Parent, files: RunningFiles) {
    const problem = memoryProblem(readFileSync(`/proc/${pid}/maps`, "utf8"));
    if (problem !== undefined) throw new RunvError("VM_FORK", `qemu ${problem}`);
    const descriptors = runningDescriptorsOf(pid, files);
    const connection = Math.max(usual, descriptors.last + mostReceived + 1);
    const program = branchProgram({ descriptors, title: titleOf(pid, name), life: files.life, connection });
    this.notes = { ...program, freePageReporting };
    this.#forks = forks;
    this.#thread = forkingThread(pid);
    suspendFilter(this.#thread);
  }

  /** Waits until it is done: the machine stands still, and so does this process, for a few milliseconds. */
  fork(connection: number): void {
    sendWithDescriptors(this.#forks, new Uint8Array(new Int32Array([this.notes.connection]).buffer), [connection]);
    const answer = new Int32Array(1);
    const timeout = new BigInt64Array([timeoutSeconds, 0n]);
    syscall("setsockopt", this.#forks, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(timeout.buffer), timeout.byteLength);
    const length = syscall("recvfrom", this.#forks, new Uint8Array(answer.buffer), answer.byteLength, 0, 0, 0);
    if (length !== answer.byteLength) throw new RunvError("VM_FORK", "fork qemu: it has gone");
    if (answer[0]! < 0) throw new RunvError("VM_FORK", `fork qemu: ${errnoText(-answer[0]!)}`);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      syscall("ptrace", PTRACE_INTERRUPT, this.#thread, 0, 0);
      syscall("wait4", this.#thread, 0, __WALL, 0);
      syscall("ptrace", PTRACE_DETACH, this.#thread, 0, 0);
    } catch (error) {
      // It has ended.
      if (!(error instanceof SystemError && (error.code === "ESRCH" || error.code === "ECHILD"))) throw error;
    }
  }
}

function forkingThread(pid: number): number {
  const isIt = (thread: string) => readFileSync(`/proc/${pid}/task/${thread}/comm`, "latin1") === `${threadName}\n`;
  const thread = readdirSync(`/proc/${pid}/task`).find(isIt);
  if (thread === undefined) throw new RunvError("VM_FORK", "qemu has no thread that forks it");
  return Number(thread);
}

function suspendFilter(thread: number): void {
  try {
    syscall("ptrace", PTRACE_SEIZE, thread, 0, PTRACE_O_SUSPEND_SECCOMP);
  } catch (cause) {
    throw new RunvError("VM_FORK", `suspend the filter of qemu's system calls: ${messageOf(cause)}`, {
      cause,
      hint: "this takes a kernel with CONFIG_CHECKPOINT_RESTORE, and that runv has no such filter itself",
    });
  }
}
