import type { Subprocess } from "bun";
import { type PackedError, RunvError, unpackError } from "../../base/error";
import { type Identity, identityOf } from "../../linux/identity";
import type { Program } from "../../program/program";
import { type BackgroundStdio, startBackground } from "../../sandbox/background";
import { FrameType, maxToGuest } from "../../wire/frame";
import { connectFrames } from "../../wire/frame-socket";
import { decodeJson, type FrameStream } from "../../wire/frame-stream";
import { type Begin, packNotes, type Ready, ShimType } from "./shim-messages";

/** A shim that a command has started. */
export class ShimHandle {
  readonly #stream: FrameStream;
  readonly #outcome: Promise<Ready>;

  private constructor(
    readonly process: Subprocess,
    readonly identity: Identity,
    stream: FrameStream,
    outcome: Promise<Ready>,
  ) {
    this.#stream = stream;
    this.#outcome = outcome;
  }

  /**
   * Starts a shim with these standard streams, which become the container's.
   * @param id the container's
   * @param args the command of the process for which it stands: what ps(1) and `docker top` show
   */
  static async start(id: string, args: readonly string[], stdio: BackgroundStdio): Promise<ShimHandle> {
    const { process, socket } = startBackground(["shim", id], stdio, args);
    const identity = identityOf(process.pid);
    const outcome = Promise.withResolvers<Ready>();
    outcome.promise.catch(() => {});
    const stream = await connectFrames({ fd: socket }, maxToGuest, () => ({
      frame({ type, payload }) {
        if (type === ShimType.ready) outcome.resolve(decodeJson(payload) as Ready);
        else if (type === ShimType.failed) outcome.reject(unpackError(decodeJson(payload) as PackedError));
      },
      close: () => outcome.reject(new RunvError("SHIM_LOST", "the container's shim ended before its time")),
    }));
    if (identity === undefined) throw new RunvError("SHIM_LOST", "the container's shim did not start");
    return new ShimHandle(process, identity, stream, outcome.promise);
  }

  /**
   * Has the shim run a program in the guest, whose process it stands for from then on.
   * @param outer a program that is to be run, with the id of the first one's process, when that one stops for the first time
   * @returns when the program waits at `stop`, or has become the command
   * @throws RunvError what kept it from that
   */
  async begin(begin: Omit<Begin, "notes" | "outer">, program: Program, outer?: Program): Promise<Ready> {
    const message: Begin = { ...begin, notes: packNotes(program.notes) };
    if (outer !== undefined) {
      message.outer = { program: Buffer.from(outer.bytes).toString("base64"), notes: packNotes(outer.notes) };
    }
    this.#stream.sendJson(ShimType.begin, message);
    this.#stream.send(FrameType.run, 0, program.bytes);
    return await this.#outcome;
  }

  /** Has the shim stand for a process that is in the guest already. @throws RunvError */
  async takeOver(begin: Omit<Begin, "notes" | "outer" | "running">, running: number): Promise<Ready> {
    this.#stream.sendJson(ShimType.begin, { ...begin, running, notes: [] } satisfies Begin);
    this.#stream.send(FrameType.run, 0);
    return await this.#outcome;
  }

  /** Lets the shim live on by itself. */
  release(): void {
    this.#stream.send(ShimType.release, 0);
  }

  /** Ends the shim at once. */
  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.exited;
  }
}
