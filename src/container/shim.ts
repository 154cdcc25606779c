/**
 * The shim: one process on the host for each process of a container. Its pid is the one that callers know; it carries
 * stdio, forwards signals and window sizes, and ends with the exit code of the process it stands for.
 */

import { messageOf, RunvError } from "../base/error";
import { mark, span, traceAs } from "../base/trace";
import { exitCode, type GuestProcess } from "../guest/process";
import { rawTermios, setTermios, takeTerminal, termiosOf, windowSizeOf } from "../linux/terminal";
import { Program } from "../program/program";
import { SandboxClient } from "../sandbox/client";
import { type Frame, FrameType, maxToGuest } from "../wire/frame";
import { connectFrames } from "../wire/frame-socket";
import { decodeJson, type FrameStream } from "../wire/frame-stream";
import { MemoryWatch } from "./memory-watch";
import { InputPump, OutputPump } from "./pump";
import { enterRootView, HeldDirectory } from "./root-view";
import { type Begin, type Failed, type Ready, ShimType, shimSocket, unpackNotes } from "./shim-messages";
import { onSignals } from "./signals";
import { type ExitRecord, exitFile } from "./store";

/** What a process reports whose machine was killed. */
const lostCode = 128 + 9;

/** Runs a shim to the end of its process. @returns the exit code */
export async function runShim(): Promise<number> {
  traceAs("shim");
  const shim = new Shim();
  return await shim.run();
}

class Shim {
  readonly #ended = Promise.withResolvers<number>();
  #creator: FrameStream | undefined;
  #begin: Begin | undefined;
  #released = false;
  #restore = () => {};
  #process: GuestProcess | undefined;
  /** The directory of the container whose first process this is. */
  #container: HeldDirectory | undefined;
  /** The exit code, once it is known. */
  #code: number | undefined;
  #memory: MemoryWatch | undefined;
  #input: InputPump | undefined;
  #outputs: OutputPump[] = [];
  /** Whether there was output. */
  #spoken = false;
  #ready = false;
  /** Signals that came before the process was ready for them. */
  readonly #signals: number[] = [];

  async run(): Promise<number> {
    onSignals((signal) => this.#signal(signal));
    this.#creator = await connectFrames({ fd: shimSocket }, maxToGuest, {
      frame: (frame) => this.#take(frame),
      close: () => this.#creatorGone(),
    });
    const code = await this.#ended.promise;
    this.#restore();
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
    const sandbox = await span("connect", () => SandboxClient.connect({ unix: begin.control }));
    void sandbox.closed.then(() => this.#lost());
    if (begin.container !== undefined) {
      this.#container = new HeldDirectory(begin.container.directory);
      this.#memory = new MemoryWatch(sandbox, begin.container);
      await sandbox.hold();
    }
    const process = sandbox.guest.run(program, {
      data: (stream, bytes) => {
        if (!this.#spoken) mark("the first output");
        this.#spoken = true;
        this.#outputs[stream - 1]?.push(bytes);
      },
      eof: (stream) => {
        if (stream === 0) this.#input?.stop();
      },
      credit: (bytes) => this.#input?.grant(bytes),
      exit: (status) => this.#record(exitCode(status)),
      closed: () => {
        mark("guest: all is said");
        void this.#close();
      },
    });
    this.#process = process;
    this.#input = new InputPump(0, process);
    this.#outputs = [new OutputPump(1, 1, process), new OutputPump(2, 2, process)];
    if (begin.outer !== undefined) await serveFromOutside(sandbox, process, begin.outer);
    const { at } = await span("guest: the container's program", () => process.next());
    if (at === "exited") throw new RunvError("GUEST_LOST", "the container's process was killed while it was prepared");
    if (begin.terminal) this.#carryTerminal(process);
    if (begin.view !== undefined) enterRootView(begin.view);
    this.#input.start();
    this.#ready = true;
    for (const signal of this.#signals) process.signal(signal);
    this.#creator?.sendJson(ShimType.ready, { handle: process.handle } satisfies Ready);
    this.#memory?.follow();
  }

  #signal(signal: number): void {
    if (this.#ready) this.#process?.signal(signal);
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
      const size = windowSizeOf(0);
      if (size !== undefined) process.resize(size.rows, size.columns);
    };
    resize();
    globalThis.process.on("SIGWINCH", resize);
  }

  #release(): void {
    this.#released = true;
    if (this.#begin?.foreground !== true) this.#creator?.close();
  }

  /** The command that started this shim has gone: before its time, or it was killed in the foreground. */
  #creatorGone(): void {
    if (!this.#released) this.#ended.resolve(lostCode);
    else if (this.#begin?.foreground === true && this.#begin.terminal) this.#hangUp();
  }

  /** What the kernel does when a terminal's other side closes. */
  #hangUp(): void {
    this.#restore();
    this.#input?.stop();
    for (const output of this.#outputs) output.stop();
    for (const stream of [0, 1]) this.#process?.end(stream);
  }

  /** Notes how the process ended: as soon as it is known, for output may take its time. */
  #record(code: number): void {
    this.#code = code;
    if (this.#container === undefined || !this.#released) return;
    try {
      const exit: ExitRecord = { code, at: new Date().toISOString() };
      this.#container.replace(exitFile, JSON.stringify(exit));
    } catch {
      // A full disk: the end of this process will tell as much.
    }
  }

  async #close(): Promise<void> {
    this.#input?.stop();
    await Promise.all(this.#outputs.map((output) => output.drained()));
    await this.#memory?.conclude(this.#code ?? lostCode);
    this.#ended.resolve(this.#code ?? lostCode);
  }

  /** The machine has gone, maybe after the process ended and before all was said. */
  #lost(): void {
    if (this.#process !== undefined && this.#code === undefined) this.#record(lostCode);
    void this.#close();
  }

  #fail(error: unknown): void {
    const failed: Failed =
      error instanceof RunvError
        ? { code: error.code, message: error.message, hint: error.hint }
        : { code: "SHIM_FAILED", message: messageOf(error) };
    this.#creator?.sendJson(ShimType.failed, failed);
    this.#creator?.close();
    this.#ended.resolve(1);
  }
}

/** Does for a process in a user namespace of its own what only somebody outside can do, and lets it go on. */
async function serveFromOutside(sandbox: SandboxClient, process: GuestProcess, outer: NonNullable<Begin["outer"]>) {
  const { at } = await process.next();
  if (at !== "stopped" || process.pid === undefined) {
    throw new RunvError("GUEST_LOST", "the container's process was killed while it was prepared");
  }
  const program = new Program(Buffer.from(outer.program, "base64"), unpackNotes(outer.notes));
  await sandbox.guest.call(program.withArgument(process.pid));
  process.go();
}
