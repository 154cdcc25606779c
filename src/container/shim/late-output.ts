/**
 * What comes after a process has ended: others may hold its standard output and error, and what they write is read to its end. A process
 * on the host ends when the one does that it stands for, so another carries the rest.
 */

import { startBackground } from "../../sandbox/background";
import { SandboxClient } from "../../sandbox/client";
import { controlSocket } from "../../sandbox/paths";
import { maxToGuest } from "../../wire/frame";
import { connectFrames } from "../../wire/frame-socket";
import { decodeJson, type FrameStream } from "../../wire/frame-stream";
import { OutputPump, outputCredit } from "./pump";
import { type Rest, ShimType, shimSocket } from "./shim-messages";

/** Who carries the rest, as its shim sees it. */
export class LateOutput {
  readonly #stream: FrameStream;

  private constructor(stream: FrameStream) {
    this.#stream = stream;
  }

  /**
   * Starts it: the shim's process is closed when it has taken over.
   * @param stdout, stderr this process's descriptors of them
   * @param lost told when it ends before its time
   */
  static async start(
    id: string,
    [stdout, stderr]: [number, number],
    rest: Rest,
    lost: () => void,
  ): Promise<LateOutput> {
    const { socket } = startBackground(["late-output", id], ["ignore", stdout, stderr]);
    const stream = await connectFrames({ fd: socket }, maxToGuest, () => ({ frame: () => {}, close: lost }));
    stream.sendJson(ShimType.rest, rest);
    return new LateOutput(stream);
  }

  /** Has it write from now on: the shim has written all that came to itself. */
  release(outputs: readonly OutputPump[]): void {
    this.#stream.sendJson(
      ShimType.owed,
      outputs.map(({ owed }) => owed),
    );
  }
}

/** Carries the rest of a process's output. @returns the exit code */
export async function carryLateOutput(): Promise<number> {
  const [begun, released] = [Promise.withResolvers<Rest | undefined>(), Promise.withResolvers<number[]>()];
  await connectFrames({ fd: shimSocket }, maxToGuest, () => ({
    frame({ type, payload }) {
      if (type === ShimType.rest) begun.resolve(decodeJson(payload) as Rest);
      else if (type === ShimType.owed) released.resolve(decodeJson(payload) as number[]);
    },
    // A shim that was killed has granted what it could.
    close: () => {
      begun.resolve(undefined);
      released.resolve([0, 0]);
    },
  }));
  const rest = await begun.promise;
  if (rest === undefined) return 0;
  const sandbox = await SandboxClient.connect({ unix: controlSocket(rest.sandbox) });
  const closed = Promise.withResolvers<void>();
  const early = new EarlyOutput();
  let pumps: OutputPump[] = [];
  const process = await sandbox.takeOver(rest.handle, {
    data: (stream, bytes) => {
      if (pumps.length === 0) early.push(stream, bytes);
      else pumps[stream - 1]?.push(bytes);
    },
    closed: () => closed.resolve(),
  });
  if (process === undefined) return 0;
  const owed = await released.promise;
  pumps = [new OutputPump(1, 1, process), new OutputPump(2, 2, process)];
  for (const [index, pump] of pumps.entries()) pump.owe(owed[index] ?? 0);
  for (const [stream, bytes] of early.taken) pumps[stream - 1]?.push(bytes);
  await Promise.race([closed.promise, sandbox.closed]);
  await Promise.all(pumps.map((pump) => pump.drained()));
  return 0;
}

/** What comes before it may be written. A guest that sends more than it has credit for fills no memory: the rest of it is dropped. */
export class EarlyOutput {
  readonly taken: [stream: number, bytes: Uint8Array][] = [];
  #bytes = 0;

  push(stream: number, bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes <= 2 * outputCredit) this.taken.push([stream, bytes.slice()]);
  }
}
