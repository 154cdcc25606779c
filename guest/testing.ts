/** The host's end of the guest protocol for tests of init: starts one and keeps what it says of each process. */
import { FrameDecoder } from "../src/wire/decoder";
import { decodeU32, encodeFrame, encodeU32, type Frame, FrameType, maxFromGuest } from "../src/wire/frame";

const names = new Map<number, string>(Object.entries(FrameType).map(([name, type]) => [type, name]));

/** What the channel to init needs to be: Bun's sockets are, and so is a test's own. */
export interface Channel {
  write(bytes: Uint8Array): number;
}

/** One process, as init tells of it. */
export class TestProcess {
  readonly frames: Frame[] = [];
  readonly output: Buffer[][] = [[], [], []];
  /** Grants as much output credit as arrives. */
  generous = true;
  #changed = Promise.withResolvers<void>();

  constructor(
    readonly agent: TestAgent,
    readonly handle: number,
  ) {}

  take(frame: Frame): void {
    this.frames.push(frame);
    if (frame.type === FrameType.data) {
      this.output[frame.stream]!.push(Buffer.from(frame.payload));
      if (this.generous) this.credit(frame.stream, frame.payload.length);
    }
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** Waits until what has come satisfies a condition. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#changed.promise;
  }

  /** Waits for a frame of this type. */
  async frame(type: number, stream?: number): Promise<Frame> {
    const find = (): Frame | undefined =>
      this.frames.find((f) => f.type === type && (stream === undefined || f.stream === stream));
    await this.until(() => find() !== undefined);
    return find()!;
  }

  /** Waits for the last frame. */
  async end(): Promise<this> {
    await this.until(() => /(closed|refused)$/.test(this.story));
    return this;
  }

  /** The types of the frames that came, less those that say how bytes went. */
  get story(): string {
    const told = this.frames.filter((f) => f.type !== FrameType.data && f.type !== FrameType.credit);
    return told.map((f) => `${names.get(f.type)}${f.type === FrameType.eof ? f.stream : ""}`).join(" ");
  }

  /** The story without the ends of streams, which come when they come. */
  get order(): string {
    return this.story.replace(/ eof\d/g, "");
  }

  text(stream = 1): string {
    return Buffer.concat(this.output[stream]!).toString();
  }

  /** What the program put out. */
  get answer(): Buffer {
    return Buffer.concat(this.frames.filter((f) => f.type === FrameType.output).map((f) => f.payload));
  }

  /** The numbers of the first frame of a type. */
  numbers(type: number): number[] {
    const payload = this.frames.find((f) => f.type === type)?.payload ?? new Uint8Array();
    return Array.from({ length: payload.length / 4 }, (_, i) => decodeU32(payload, i)!);
  }

  /** Credit for stdin that has come. */
  get granted(): number {
    const credits = this.frames.filter((f) => f.type === FrameType.credit && f.stream === 0);
    return credits.reduce((sum, f) => sum + decodeU32(f.payload)!, 0);
  }

  credit(stream: number, bytes: number): void {
    this.agent.send(FrameType.credit, this.handle, encodeU32(bytes), stream);
  }

  write(bytes: Uint8Array | string): void {
    this.agent.send(FrameType.data, this.handle, Buffer.from(bytes as string), 0);
  }

  eof(stream = 0): void {
    this.agent.send(FrameType.eof, this.handle, undefined, stream);
  }

  go(): void {
    this.agent.send(FrameType.go, this.handle);
  }

  signal(number: number): void {
    this.agent.send(FrameType.signal, this.handle, encodeU32(number));
  }

  resize(rows: number, columns: number): void {
    this.agent.send(FrameType.resize, this.handle, new Uint8Array(Uint16Array.of(rows, columns, 0, 0).buffer));
  }
}

/** init, on the other end of a channel. */
export class TestAgent {
  readonly hello = Promise.withResolvers<Frame>();
  readonly ended = Promise.withResolvers<void>();
  readonly #decoder = new FrameDecoder(maxFromGuest);
  readonly #processes = new Map<number, TestProcess>();
  #unsent: Uint8Array[] = [];
  #channel: Channel | undefined;
  #handles = 0;

  /** The handlers for a socket of Bun. */
  readonly handlers = {
    data: (_: unknown, bytes: Uint8Array) => this.take(bytes),
    drain: () => this.#drain(),
    close: () => this.ended.resolve(),
    error: (_: unknown, error: Error) => this.ended.reject(error),
  };

  attach(channel: Channel): void {
    this.#channel = channel;
    this.#drain();
  }

  take(bytes: Uint8Array): void {
    this.#decoder.push(bytes, (view) => {
      const frame = { ...view, payload: new Uint8Array(view.payload) };
      if (frame.type === FrameType.hello) this.hello.resolve(frame);
      else this.#processes.get(frame.process)?.take(frame);
    });
  }

  send(type: number, process: number, payload?: Uint8Array, stream?: number): void {
    this.#unsent.push(encodeFrame(type, process, payload, stream));
    this.#drain();
  }

  /** Sends a program, or whatever else these bytes are. */
  run(program: { bytes: Uint8Array } | Uint8Array, handle = ++this.#handles): TestProcess {
    const process = new TestProcess(this, handle);
    this.#processes.set(handle, process);
    this.send(FrameType.run, handle, program instanceof Uint8Array ? program : program.bytes);
    return process;
  }

  #drain(): void {
    while (this.#channel !== undefined && this.#unsent.length > 0) {
      const bytes = this.#unsent[0]!;
      const sent = Math.max(0, this.#channel.write(bytes));
      if (sent < bytes.length) {
        this.#unsent[0] = bytes.subarray(sent);
        return;
      }
      this.#unsent.shift();
    }
  }
}

/** Starts an init that serves a socketpair. */
export async function startInit(
  binary: string,
): Promise<TestAgent & { child: Bun.Subprocess; stop(): Promise<number> }> {
  const child = Bun.spawn([binary, "--fd", "3"], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
    env: { ...process.env, ASAN_OPTIONS: "detect_leaks=1" },
  });
  const agent = new TestAgent();
  const socket = await Bun.connect({ fd: child.stdio[3] as unknown as number, socket: agent.handlers } as never);
  agent.attach(socket as Channel);
  await agent.hello.promise;
  const stop = () => {
    (socket as Bun.Socket).end();
    return child.exited;
  };
  return Object.assign(agent, { child, stop });
}
