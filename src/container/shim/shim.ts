/**
 * The shim: one process on the host for each process of a container. Its pid is the one that callers know; it carries
 * stdio, forwards signals and window sizes, and ends with the exit code of the process it stands for.
 */

import { packError, RunvError } from "../../base/error";
import { formatTime, now } from "../../base/time";
import { mark, span, traceAs } from "../../base/trace";
import { trimWhenSettled } from "../../base/trim";
import { exitCode, type GuestProcess, type ProcessListener } from "../../guest/process";
import { endingSignals, SIGKILL } from "../../linux/signals";
import { rawTermios, setTermios, takeTerminal, termiosOf, windowSizeOf } from "../../linux/terminal";
import { Program } from "../../program/program";
import { SandboxClient } from "../../sandbox/client";
import { controlSocket } from "../../sandbox/paths";
import { whileItAnswers } from "../../sandbox/silence";
import { type Frame, FrameType, maxToGuest, stdinWindow } from "../../wire/frame";
import { connectFrames } from "../../wire/frame-socket";
import { decodeJson, type FrameStream } from "../../wire/frame-stream";
import type { MemoryWatch } from "../cgroup/memory-watch";
import { type ExitRecord, exitFile } from "../record/store";
import { type Attended, isFifo, listenForDaemon, openStreams } from "./attended";
import type { LateOutput } from "./late-output";
import { InputPump, OutputPump, outputCredit } from "./pump";
import { enterRootView, HeldDirectory } from "./root-view";
import { type Begin, type Ready, type ShimContainer, ShimType, shimSocket, unpackNotes } from "./shim-messages";
import { onSignals } from "./signals";

/** How long after its process's end a shim waits for the end of its output before it looks who else holds that, in milliseconds. */
const momentMs = 100;

/** What a container's process reports that such a signal ends before it has begun: what runc's reports. */
const unbegunCode = 2;

/** What a process reports whose machine was killed. */
const lostCode = 128 + SIGKILL;

/** Runs a shim to the end of its process. @returns the exit code */
export async function runShim(): Promise<number> {
  traceAs("shim");
  const shim = new Shim();
  return await shim.run();
}

class Shim {
  readonly #ended = Promise.withResolvers<number>();
  /** Fulfilled when the command that started this shim has let go of it, or is gone. */
  readonly #alone = Promise.withResolvers<void>();
  #creator: FrameStream | undefined;
  #begin: Begin | undefined;
  #released = false;
  #restore = () => {};
  #process: GuestProcess | undefined;
  /** Where the process's end is recorded. */
  readonly #directories: HeldDirectory[] = [];
  /** How the process ended, once it is known. */
  #exit: ExitRecord | undefined;
  #sandbox: SandboxClient | undefined;
  #memory: Promise<MemoryWatch> | undefined;
  #input: InputPump | undefined;
  #outputs: OutputPump[] = [];
  #descriptors: readonly [stdin: number, stdout: number, stderr: number] = [0, 1, 2];
  #late: LateOutput | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether there was output. */
  #spoken = false;
  #ready = false;
  /** The process is the container's program. */
  #begun = false;
  /** It was ended before that. */
  #unbegun = false;
  /** Signals that came before the process was ready for them. */
  readonly #signals: number[] = [];

  async run(): Promise<number> {
    onSignals((signal) => this.#signal(signal));
    this.#creator = await connectFrames({ fd: shimSocket }, maxToGuest, () => ({
      frame: (frame) => this.#take(frame),
      close: () => this.#creatorGone(),
    }));
    const code = await this.#ended.promise;
    this.#restore();
    // Whoever waits for that goes on while this process ends.
    this.#sandbox?.close();
    return code;
  }

  #take(frame: Frame): void {
    if (frame.type === ShimType.begin) this.#begin = decodeJson(frame.payload) as Begin;
    else if (frame.type === ShimType.release) this.#release();
    else if (frame.type === FrameType.run && this.#begin !== undefined) {
      const program = new Program(frame.payload.slice(), unpackNotes(this.#begin.notes));
      this.#start(this.#begin, program).catch((error: unknown) => this.#fail(error));
    }
  }

  async #start(begin: Begin, program: Program): Promise<void> {
    const sandbox = await span("connect", () => SandboxClient.connect({ unix: controlSocket(begin.sandbox) }));
    this.#sandbox = sandbox;
    void sandbox.closed.then(() => this.#lost());
    if (begin.container !== undefined) {
      this.#directories.push(new HeldDirectory(begin.container.directory));
      await sandbox.hold();
    }
    if (begin.attended !== undefined) this.#descriptors = this.#beAttended(begin.attended);
    const [stdin, stdout, stderr] = this.#descriptors;
    const listener: ProcessListener = {
      data: (stream, bytes) => {
        if (!this.#spoken) mark("the first output");
        this.#spoken = true;
        this.#outputs[stream - 1]?.push(bytes);
      },
      eof: (stream) => {
        if (stream === 0) this.#input?.stop();
      },
      credit: (bytes) => this.#input?.grant(bytes),
      exit: (status) => {
        this.#end(this.#unbegun ? unbegunCode : exitCode(status));
        this.#concludeOutput();
      },
      closed: () => {
        mark("guest: all is said");
        void this.#close();
      },
    };
    const { running } = begin;
    const process =
      running === undefined ? sandbox.guest.run(program, listener) : await sandbox.takeOver(running, listener);
    if (process === undefined) throw new RunvError("GUEST_LOST", "the container's process has ended");
    this.#process = process;
    // How much of its credit another shim has used, nobody knows: half of stdin's is granted again as soon as it is, and outputs have it once more.
    const [window, most] = running === undefined ? [stdinWindow, outputCredit] : [stdinWindow / 2, 2 * outputCredit];
    this.#input = new InputPump(stdin, process, window);
    this.#outputs = [new OutputPump(stdout, 1, process, most), new OutputPump(stderr, 2, process, most)];
    if (running !== undefined) for (const output of [1, 2]) process.credit(output, outputCredit);
    const { at } = await whileItAnswers(sandbox, async () => {
      if (running !== undefined) return { at: "execed" as const };
      if (begin.outer !== undefined) await serveFromOutside(sandbox, process, begin.outer);
      return await span("guest: the container's program", () => process.next());
    });
    if (at === "exited") throw await endedEarly(process);
    if (begin.terminal && begin.attended === undefined) this.#carryTerminal(process);
    if (begin.view !== undefined) enterRootView(begin.view);
    this.#input.start();
    this.#begun = at === "execed";
    if (!this.#begun)
      process.next().then(
        () => (this.#begun = true),
        () => {},
      );
    this.#ready = true;
    for (const signal of this.#signals) this.#signal(signal);
    this.#creator?.sendJson(ShimType.ready, { handle: process.handle } satisfies Ready);
    trimWhenSettled();
    if (begin.container?.limited) (await this.#watchMemory(sandbox, begin.container)).follow();
  }

  /** What watches memory is loaded where it is needed: a shim is to be small. */
  #watchMemory(sandbox: SandboxClient, container: ShimContainer): Promise<MemoryWatch> {
    this.#memory ??= import("../cgroup/memory-watch").then(({ MemoryWatch }) => new MemoryWatch(sandbox, container));
    return this.#memory;
  }

  /** A container without a limit ends with all memory of its machine, if at all by the kernel's SIGKILL. */
  async #concludeMemory(): Promise<void> {
    const container = this.#begin?.container;
    if (container === undefined || this.#sandbox === undefined || this.#exit === undefined) return;
    if (!container.limited && this.#exit.code !== lostCode) return;
    const oomKills = await (await this.#watchMemory(this.#sandbox, container)).conclude();
    if (oomKills === 0) return;
    this.#exit = { ...this.#exit, oomKills };
    this.#record();
  }

  /** @returns the descriptors of the standard streams */
  #beAttended(attended: Attended): [number, number, number] {
    const streams = openStreams(attended);
    this.#directories.push(new HeldDirectory(attended.directory));
    listenForDaemon(attended, {
      closeStdin: () => {
        if (isFifo(streams[0])) this.#input?.finish();
      },
      resize: (rows, columns) => this.#process?.resize(rows, columns),
      signal: (signal) => this.#signalOfDaemon(signal),
    });
    return streams;
  }

  /** The process may be dead, and its last output wait for a reader that will not come: then SIGKILL is for the output. */
  #signalOfDaemon(signal: number): void {
    if (this.#exit === undefined) this.#signal(signal);
    else if (signal === SIGKILL) this.#ended.resolve(this.#exit.code);
  }

  #signal(signal: number): void {
    const waiting = this.#exit !== undefined && this.#begin?.foreground === true;
    // As the first process of a pid namespace it would not notice a signal that it does not expect (pid_namespaces(7)).
    if (this.#ready && !this.#begun && endingSignals.includes(signal)) {
      this.#unbegun = true;
      this.#process?.signal(SIGKILL);
    } else if (waiting && endingSignals.includes(signal)) this.#ended.resolve(this.#exit!.code);
    else if (this.#ready) this.#process?.signal(signal);
    else this.#signals.push(signal);
  }

  /** The descriptors are the outer end of the terminal inside, which does all the editing and echoing. */
  #carryTerminal(process: GuestProcess): void {
    if (this.#begin?.foreground === false) takeTerminal(0);
    const before = termiosOf(0);
    if (before !== undefined) {
      setTermios(0, rawTermios(before));
      if (this.#begin?.foreground === true) this.#restore = () => setTermios(0, before);
    }
    const resize = () => {
      const size = windowSizeOf(0) ?? windowSizeOf(1) ?? windowSizeOf(2);
      if (size !== undefined) process.resize(size.rows, size.columns);
    };
    resize();
    globalThis.process.on("SIGWINCH", resize);
  }

  get #isTied(): boolean {
    return this.#begin?.attended?.tied === true;
  }

  #release(): void {
    this.#released = true;
    this.#alone.resolve();
    this.#record();
    if (this.#begin?.foreground !== true && !this.#isTied) this.#creator?.close();
  }

  /** The command that started this shim has gone: before its time, or it was killed in the foreground. */
  #creatorGone(): void {
    this.#alone.resolve();
    if (!this.#released || this.#isTied) this.#ended.resolve(lostCode);
    else if (this.#begin?.foreground === true && this.#begin.terminal) this.#hangUp();
  }

  /** What the kernel does when a terminal's other side closes. */
  #hangUp(): void {
    this.#restore();
    this.#input?.stop();
    for (const output of this.#outputs) output.stop();
    for (const stream of [0, 1]) this.#process?.end(stream);
  }

  #end(code: number): void {
    this.#exit = { code, at: formatTime(now()) };
    this.#record();
  }

  /**
   * The process is dead, and others may hold its output. Of a container's first process these are what is left of the container, which ends
   * with it. A command in the foreground reads to the end. Else somebody goes on reading when this shim has ended, as the process has.
   */
  #concludeOutput(): void {
    const { container, foreground, attended } = this.#begin!;
    if (container === undefined && foreground && attended === undefined) return;
    const action = () => (container === undefined ? this.#handOver() : this.#endRest(container));
    this.#timer = setTimeout(() => void action().catch(() => this.#cutOutput()), momentMs);
  }

  async #handOver(): Promise<void> {
    const { LateOutput } = await import("./late-output");
    const [, stdout, stderr] = this.#descriptors;
    const rest = { sandbox: this.#begin!.sandbox, handle: this.#process!.handle };
    this.#late = await LateOutput.start(this.#begin!.id, [stdout, stderr], rest, () => this.#cutOutput());
  }

  async #endRest({ id }: ShimContainer): Promise<void> {
    const { killAll } = await import("../../guest/signal");
    await this.#sandbox!.guest.call(killAll(id, SIGKILL));
    // Of what it has passed to others it is not waited for.
    this.#timer = setTimeout(() => this.#cutOutput(), momentMs);
  }

  /** Waits no longer for who holds the output. */
  #cutOutput(): void {
    for (const stream of [1, 2]) this.#process?.end(stream);
  }

  /** Notes how the process ended: as soon as it is known, for output may take its time. */
  #record(): void {
    if (this.#exit === undefined || !this.#released) return;
    for (const directory of this.#directories) {
      try {
        directory.replace(exitFile, JSON.stringify(this.#exit));
      } catch {
        // A full disk: the end of this process will tell as much.
      }
    }
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#input?.stop();
    await Promise.all(this.#outputs.map((output) => output.drained()));
    this.#late?.release(this.#outputs);
    await this.#concludeMemory();
    // A daemon is told by what is recorded, which is only done for a process that somebody knows of.
    if (this.#begin?.attended !== undefined) await this.#alone.promise;
    this.#ended.resolve(this.#exit?.code ?? lostCode);
  }

  /** The machine has gone, maybe after the process ended and before all was said. */
  #lost(): void {
    if (this.#process !== undefined && this.#exit === undefined) this.#end(lostCode);
    void this.#close();
  }

  #fail(error: unknown): void {
    this.#creator?.sendJson(ShimType.failed, packError(error, "SHIM_FAILED"));
    this.#creator?.close();
    this.#ended.resolve(1);
  }
}

/** Does for a process in a user namespace of its own what only somebody outside can do, and lets it go on. */
async function serveFromOutside(sandbox: SandboxClient, process: GuestProcess, outer: NonNullable<Begin["outer"]>) {
  const { at } = await process.next();
  if (at !== "stopped" || process.pid === undefined) {
    throw at === "exited" ? await endedEarly(process) : new RunvError("GUEST_MISBEHAVES", "the guest skips a step");
  }
  const program = new Program(Buffer.from(outer.program, "base64"), unpackNotes(outer.notes));
  await sandbox.guest.call(program.withArgument(process.pid));
  process.go();
}

/** A process of the container has ended before it was its program. @returns what is thrown of that */
async function endedEarly({ exited }: GuestProcess): Promise<RunvError> {
  const code = exitCode(await exited);
  const how = code > 128 ? `by signal ${code - 128}` : `with code ${code}`;
  return new RunvError("GUEST_LOST", `the container's process ended while it was prepared, ${how}`);
}
