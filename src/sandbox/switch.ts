import { SIGKILL } from "../linux/signals";
import { decodeU32, encodeU32, type Frame, FrameType } from "../wire/frame";
import type { FrameStream } from "../wire/frame-stream";
import type { GoResult } from "./messages";

/** A client of the monitor. */
export interface Client {
  /** Its handles are number << 16 and up. */
  readonly number: number;
  readonly stream: FrameStream;
}

/**
 * Passes frames between the clients and the guest. A handle's upper half tells the client that it belongs to, unless another one
 * has taken it over; what a client may send concerns its own processes only, and what the guest sends goes to the process's owner or nowhere.
 */
export class FrameSwitch {
  readonly #toGuest: (type: number, process: number, payload?: Uint8Array, stream?: number) => void;
  /** The processes that the guest knows, with their owners; undefined for those whose client has gone. */
  readonly #owners = new Map<number, Client | undefined>();
  readonly #waiting = new Map<number, ((result: GoResult) => void)[]>();
  /** Processes that came with the guest, to be taken over. */
  readonly #orphans = new Set<number>();
  /** What clients send while nothing is passed on, and that they have gone. */
  #held: (() => void)[] | undefined;
  #frames = 0;

  constructor(toGuest: (type: number, process: number, payload?: Uint8Array, stream?: number) => void) {
    this.#toGuest = toGuest;
  }

  /** Whether any process of this client number is still known to the guest. */
  inUse(number: number): boolean {
    for (const handle of this.#owners.keys()) if (handle >>> 16 === number) return true;
    return false;
  }

  /** The processes that the guest knows. */
  get processes(): number[] {
    return [...this.#owners.keys()];
  }

  /** How many frames the guest has sent. */
  get frames(): number {
    return this.#frames;
  }

  /** The guest has these processes of another monitor's clients. @param kept which is to be taken over; what others say, nobody hears */
  adopt(processes: readonly number[], kept: number): void {
    for (const process of processes) {
      this.#owners.set(process, undefined);
      if (process === kept) this.#orphans.add(process);
      else for (const stream of [0, 1, 2]) this.#toGuest(FrameType.eof, process, undefined, stream);
    }
  }

  /** Passes nothing on to the guest until `release`. */
  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const pass of held) pass();
  }

  /** Takes a frame of a client. */
  fromClient(client: Client, frame: Frame): void {
    if (this.#held === undefined) this.#fromClient(client, frame);
    else {
      const kept = { ...frame, payload: frame.payload.slice() };
      this.#held.push(() => this.#fromClient(client, kept));
    }
  }

  #fromClient(client: Client, { type, process, payload, stream }: Frame): void {
    const begun = process >>> 16 === client.number;
    if (!(begun || this.#owners.get(process) === client) || !towardsGuest(type)) return;
    if (type === FrameType.run && begun) this.#owners.set(process, client);
    else if (type === FrameType.run || !this.#owners.has(process)) return;
    this.#toGuest(type, process, payload, stream);
  }

  /** Takes a frame of the guest, which is not to be trusted. @returns whose process it is, if this was the last of it */
  fromGuest({ type, process, payload, stream }: Frame): Client | undefined {
    this.#frames++;
    if (!this.#owners.has(process) || !towardsHost(type)) return undefined;
    this.#tell(type, process, payload);
    const owner = this.#owners.get(process);
    owner?.stream.send(type, process, payload, stream);
    if (type !== FrameType.closed && type !== FrameType.refused) return undefined;
    this.#owners.delete(process);
    return owner;
  }

  /** Lets a process go on, whoever owns it. @returns what becomes of it */
  go(process: number): Promise<GoResult> {
    if (!this.#owners.has(process)) return Promise.resolve({ at: "exited" });
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(process) ?? [];
      this.#waiting.set(process, [...waiting, resolve]);
      this.#toGuest(FrameType.go, process);
    });
  }

  /**
   * Makes a process another client's. Its owner is told that all is said, as far as he is concerned; what he grants still counts.
   * @returns whether there is one to be had
   */
  takeOver(client: Client, process: number): boolean {
    const owner = this.#owners.get(process);
    if (owner === undefined && !this.#orphans.delete(process)) return false;
    this.#owners.set(process, client);
    owner?.stream.send(FrameType.closed, process);
    return true;
  }

  /** Ends all processes of a client that has gone, those too that it wanted to begin while nothing was passed on. */
  abandon(client: Client): void {
    if (this.#held === undefined) this.#abandon(client);
    else this.#held.push(() => this.#abandon(client));
  }

  #abandon(client: Client): void {
    for (const [process, owner] of this.#owners) {
      if (owner !== client) continue;
      this.#owners.set(process, undefined);
      this.#toGuest(FrameType.signal, process, encodeU32(SIGKILL));
      for (const output of [1, 2]) this.#toGuest(FrameType.eof, process, undefined, output);
    }
  }

  #tell(type: number, process: number, payload: Uint8Array): void {
    const waiting = this.#waiting.get(process);
    const result = waiting === undefined ? undefined : goResult(type, payload);
    if (result === undefined) return;
    this.#waiting.delete(process);
    for (const resolve of waiting!) resolve(result);
  }
}

function goResult(type: number, payload: Uint8Array): GoResult | undefined {
  if (type === FrameType.execed) return { at: "execed" };
  if (type === FrameType.done) return { at: "done" };
  if (type === FrameType.exit || type === FrameType.closed) return { at: "exited" };
  if (type !== FrameType.failed) return undefined;
  return { at: "failed", instruction: decodeU32(payload, 0) ?? 0, errno: decodeU32(payload, 1) ?? 0 };
}

const streamTypes: readonly number[] = [FrameType.data, FrameType.eof, FrameType.credit];
const towardsGuest = (type: number): boolean =>
  streamTypes.includes(type) || (type >= FrameType.run && type <= FrameType.resize);
const towardsHost = (type: number): boolean =>
  streamTypes.includes(type) || (type >= FrameType.started && type <= FrameType.refused);
