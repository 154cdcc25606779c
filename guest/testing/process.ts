/** What a test of init sees of one process, and does to it. */
import { decodeU32, encodeU32, type Frame, FrameType } from "../../src/wire/frame";
import type { TestAgent } from "./agent";

const names = new Map<number, string>(Object.entries(FrameType).map(([name, type]) => [type, name]));

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
