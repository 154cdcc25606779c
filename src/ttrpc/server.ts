/** Serves ttrpc on a unix socket. */
import { messageOf } from "../base/error";
import { log } from "../base/log";
import { Channel } from "./channel";
import { encodeFrame, type Frame, FrameDecoder, FrameType, mostPayload } from "./frame";
import { requests, responses } from "./messages";
import { CallRefused, Status } from "./refusal";

/**
 * Does a call.
 * @returns the answer's bytes; undefined when there is no such call
 * @throws CallRefused, and whatever else becomes "unknown"
 */
export type Serve = (service: string, method: string, payload: Uint8Array) => Promise<Uint8Array> | undefined;

/** How many calls of one connection may be under way: each task has a Wait or two. */
const mostCalls = 4096;

/** A socket that is listened on. */
export interface Server {
  /** How many clients are connected now. */
  readonly clients: number;
  /** Listens no more, and ends all connections. */
  stop(): void;
}

/**
 * Listens, until this process ends or the server is stopped.
 * @throws Error when the path cannot be listened on
 */
export function listen(unix: string, serve: Serve): Server {
  const clients = new Set<Connection>();
  const listener = Bun.listen<Connection>({
    unix,
    socket: {
      open(socket) {
        socket.data = new Connection(serve, new Channel(socket));
        clients.add(socket.data);
      },
      data: (socket, bytes) => socket.data.take(bytes),
      drain: (socket) => socket.data.drain(),
      close({ data }) {
        clients.delete(data);
        data.closed();
      },
      error: (socket) => socket.data.closed(),
    },
  });
  return {
    get clients() {
      return clients.size;
    },
    stop: () => listener.stop(true),
  };
}

export class Connection {
  readonly #decoder: FrameDecoder;
  #calls = 0;
  #open = true;

  constructor(
    private readonly serve: Serve,
    private readonly channel: Channel,
  ) {
    this.#decoder = new FrameDecoder({
      frame: (frame) => this.#take(frame),
      tooLong: (stream, length) =>
        this.#refuse(stream, Status.resourceExhausted, `a message of ${length} bytes: at most ${mostPayload}`),
    });
  }

  take(bytes: Uint8Array): void {
    if (this.#open) this.#decoder.push(bytes);
  }

  drain(): void {
    this.channel.drain();
  }

  /** The client has gone. What it asked for is done, and its answers are thrown away. */
  closed(): void {
    this.#open = false;
  }

  #take({ stream, type, payload }: Frame): void {
    if (!this.#open) return;
    if (type === FrameType.data) this.#refuse(stream, Status.unimplemented, "no call of this service streams");
    else if (type !== FrameType.request) this.#end(`a frame of type ${type}`);
    else if (stream % 2 === 0) this.#refuse(stream, Status.invalidArgument, "a client's streams are odd");
    else if (this.#calls >= mostCalls) {
      this.#refuse(stream, Status.resourceExhausted, `at most ${mostCalls} calls at once`);
    } else {
      this.#calls++;
      void this.#call(stream, payload).finally(() => this.#calls--);
    }
  }

  async #call(stream: number, payload: Uint8Array): Promise<void> {
    let name = "";
    try {
      const request = decoded(payload);
      name = `${request.service}/${request.method}`;
      const answer = this.serve(request.service, request.method, request.payload);
      if (answer === undefined) throw new CallRefused(Status.unimplemented, `${name}: not implemented`);
      this.#answer(stream, responses.encode({ payload: await answer }));
    } catch (error) {
      log.debug(`${name}: ${messageOf(error)}`);
      if (error instanceof Error && !(error instanceof CallRefused)) log.debug(error.stack ?? "");
      this.#refuse(stream, error instanceof CallRefused ? error.code : Status.unknown, messageOf(error));
    }
  }

  #refuse(stream: number, code: number, message: string): void {
    this.#answer(stream, responses.encode({ status: { code, message } }));
  }

  #answer(stream: number, payload: Uint8Array): void {
    if (!this.#open) return;
    this.#open = this.channel.send(encodeFrame({ stream, type: FrameType.response, payload }));
  }

  #end(why: string): void {
    log.warn(`a client of the shim has sent ${why}: its connection is closed`);
    this.#open = false;
    this.channel.end();
  }
}

function decoded(payload: Uint8Array) {
  try {
    return requests.decode(payload);
  } catch (error) {
    throw new CallRefused(Status.invalidArgument, `no request: ${messageOf(error)}`);
  }
}
