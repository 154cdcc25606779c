/** Calls a server that speaks ttrpc. */
import { messageOf } from "../base/error";
import { Channel } from "./channel";
import { encodeFrame, type Frame, FrameDecoder, FrameType } from "./frame";
import { requests, responses } from "./messages";
import { CallRefused, Status } from "./refusal";

interface Waiting {
  resolve(payload: Uint8Array): void;
  reject(error: Error): void;
}

export class TtrpcClient {
  readonly #waiting = new Map<number, Waiting>();
  readonly #decoder = new FrameDecoder({
    frame: (frame) => this.#take(frame),
    tooLong: (stream) => this.#settle(stream)?.reject(new CallRefused(Status.resourceExhausted, "a long answer")),
  });
  #channel: Channel | undefined;
  #next = 1;

  private constructor() {}

  /** Whether the server is there still. */
  get isOpen(): boolean {
    return this.#channel !== undefined;
  }

  /** @throws Error when nobody listens */
  static async connect(unix: string): Promise<TtrpcClient> {
    const client = new TtrpcClient();
    const socket = await Bun.connect({
      unix,
      socket: {
        data: (_, bytes) => client.#decoder.push(bytes),
        drain: () => client.#channel?.drain(),
        close: () => client.#lost("the connection has ended"),
        error: (_, error) => client.#lost(messageOf(error)),
      },
    });
    client.#channel = new Channel(socket);
    return client;
  }

  /** @returns the answer's bytes @throws CallRefused */
  call(service: string, method: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const stream = this.#next;
    this.#next += 2;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    if (this.#channel === undefined) {
      reject(new CallRefused(Status.unavailable, "the connection has ended"));
      return promise;
    }
    const timer = setTimeout(() => this.#settle(stream)?.reject(late(service, method, timeoutMs)), timeoutMs);
    this.#waiting.set(stream, { resolve, reject });
    const request = requests.encode({ service, method, payload, timeout_nano: BigInt(timeoutMs) * 1_000_000n });
    this.#channel.send(encodeFrame({ stream, type: FrameType.request, payload: request }));
    return promise.finally(() => clearTimeout(timer));
  }

  close(): void {
    this.#channel?.end();
    this.#lost("the connection was closed");
  }

  #take({ stream, type, payload }: Frame): void {
    if (type !== FrameType.response) return;
    const waiting = this.#settle(stream);
    if (waiting === undefined) return;
    try {
      const { status, payload: answer } = responses.decode(payload);
      if (status !== null && status.code !== 0) waiting.reject(new CallRefused(status.code, status.message));
      else waiting.resolve(answer);
    } catch (error) {
      waiting.reject(new CallRefused(Status.unknown, `no answer: ${messageOf(error)}`));
    }
  }

  #settle(stream: number): Waiting | undefined {
    const waiting = this.#waiting.get(stream);
    this.#waiting.delete(stream);
    return waiting;
  }

  #lost(why: string): void {
    this.#channel = undefined;
    for (const stream of [...this.#waiting.keys()]) {
      this.#settle(stream)?.reject(new CallRefused(Status.unavailable, why));
    }
  }
}

function late(service: string, method: string, timeoutMs: number): CallRefused {
  return new CallRefused(Status.unavailable, `${service}/${method}: no answer in ${timeoutMs} ms`);
}
