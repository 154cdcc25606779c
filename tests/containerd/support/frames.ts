/**
 * Real clients of 2016, played again: each frame that they sent over HTTP/2, in `tests/containerd/frames/`, as it was recorded between them and
 * runv-containerd. What they could not know of this machine is changed: containers' ids, bundles, and the times since which events are asked for.
 * Of what the daemon answered, the recording has events and statuses: these are waited for where they stand. A line is one of
 *
 *     > CONNECTION STREAM TYPE FLAGS PAYLOAD        a frame of the client's: RFC 9113's numbers, the payload in hexadecimal
 *     < CONNECTION STREAM event TYPE ID PROCESS STATUS TIME
 *     < CONNECTION STREAM answer CODE WORDS         gRPC's status
 *     - CONNECTION                                  it ends
 *     ! bundle ID {"args":…,"terminal":…}           what the container runs that is to be created
 *     ! type ID PROCESS LINE                        is written to the process's stdin
 *     ! kill the daemon, ! start the daemon
 *     ! # what was done
 */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { basename, join } from "node:path";
import { codec } from "../../../src/containerd/api/codec";
import type { Message, Received } from "../../../src/containerd/api/messages";
import { type CallName, calls } from "../../../src/containerd/api/service";
import { fromSeconds, toSeconds } from "../../../src/containerd/api/timestamp";
import { HpackDecoder } from "../../../src/containerd/http2/hpack";
import { timeOf, toTimestamp } from "../../../src/protobuf/timestamp";
import type { Rig } from "../../support/rig";
import { until } from "../../support/until";
import type { TestDaemon } from "./daemon";
import { Fifos } from "./fifos";

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** Before each message: whether it is compressed, which none is, and its length. */
const prefixLength = 5;
const headerLength = 9;
const [DATA, HEADERS] = [0, 1];
const patienceMs = 60_000;

/** What a client was told on a stream: an event, or the end of a call. */
type Told = { event: Received<"Event"> } | { code: number; words: string };

/** A call, from the client's headers to the status that ends it. */
class Call {
  readonly told: Told[] = [];
  /** How much of it was waited for. */
  seen = 0;
  #data: Buffer = Buffer.alloc(0);

  constructor(readonly name: CallName) {}

  headers(fields: Map<string, string>): void {
    const code = fields.get("grpc-status");
    if (code !== undefined) this.told.push({ code: Number(code), words: fields.get("grpc-message") ?? "" });
  }

  data(bytes: Buffer): void {
    this.#data = Buffer.concat([this.#data, bytes]);
    while (this.#data.length >= prefixLength) {
      const end = prefixLength + this.#data.readUInt32BE(1);
      if (this.#data.length < end) return;
      const answer = codec(calls[this.name].answer).decode(this.#data.subarray(prefixLength, end));
      this.#data = this.#data.subarray(end);
      if (this.name === "Events") this.told.push({ event: answer as Received<"Event"> });
    }
  }
}

/** A connection that carries the frames that it is given, and understands what comes back. */
class Connection {
  readonly calls = new Map<number, Call>();
  readonly authorities = new Set<string>();
  readonly #socket: Socket;
  readonly #sent = new HpackDecoder();
  readonly #received = new HpackDecoder();
  #pending: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.#socket = connect(path);
    // The daemon is killed now and then.
    this.#socket.on("error", () => {});
    this.#socket.on("data", (chunk: Buffer) => this.#take(chunk));
    this.#socket.write(preface);
  }

  /** Sends a frame. @param change what becomes of a request */
  send(type: number, flags: number, stream: number, payload: Buffer, change: Change): void {
    if (type === HEADERS) this.#begin(stream, payload);
    const call = this.calls.get(stream);
    const bytes = type === DATA && payload.length > 0 ? changed(call!.name, payload, change) : payload;
    const header = Buffer.alloc(headerLength);
    header.writeUIntBE(bytes.length, 0, 3);
    header.set([type, flags], 3);
    header.writeUInt32BE(stream, 5);
    this.#socket.write(Buffer.concat([header, bytes]));
  }

  close(): void {
    this.#socket.destroy();
  }

  #begin(stream: number, payload: Buffer): void {
    const fields = textsOf(this.#sent, payload);
    this.authorities.add(fields.get(":authority")!);
    const path = fields.get(":path")!;
    const [name] = Object.entries(calls).find(([, call]) => call.path === path)!;
    this.calls.set(stream, new Call(name as CallName));
  }

  #take(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    while (this.#pending.length >= headerLength) {
      const end = headerLength + this.#pending.readUIntBE(0, 3);
      if (this.#pending.length < end) return;
      const [type, call] = [this.#pending[3], this.calls.get(this.#pending.readUInt32BE(5))];
      const payload = this.#pending.subarray(headerLength, end);
      if (type === HEADERS) call?.headers(textsOf(this.#received, payload));
      else if (type === DATA) call?.data(payload);
      this.#pending = this.#pending.subarray(end);
    }
  }
}

/** A request as it is read, or a part of one. */
type Fields = Record<string, unknown>;
/** What becomes of a request to this call. */
type Change = (call: CallName, request: Fields) => Fields;

/** A request in its frame, after `change` has changed it. That none of it escapes our reader is seen by its bytes. */
function changed(name: CallName, payload: Buffer, change: Change): Buffer {
  const { encode, decode } = codec(calls[name].request);
  const request = bare(decode(payload.subarray(prefixLength)) as Fields);
  expect(encode(request as never)).toEqual(payload.subarray(prefixLength));
  const message = encode(bare(change(name, request)) as never);
  const prefix = Buffer.alloc(prefixLength);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Without what is not written: fields that have their type's default. */
function bare(message: Fields): Fields {
  const fields = Object.entries(message).filter(([, value]) => !isDefault(value));
  return Object.fromEntries(fields.map(([name, value]) => [name, isMessage(value) ? bare(value) : value]));
}

function isDefault(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : !value;
}

function isMessage(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textsOf(decoder: HpackDecoder, block: Buffer): Map<string, string> {
  return new Map(decoder.decode(block).map(([name, value]) => [`${name}`, `${value}`]));
}

/** Plays a recording to a daemon. */
export class Player {
  readonly #connections = new Map<string, Connection>();
  /** By their recorded ids. */
  readonly #containers = new Map<string, { id: string; bundle: string; terminal: boolean }>();
  readonly #fifos = new Map<string, Fifos>();
  /** When events were, as recorded and now. In the older wire, that of seconds, several were at a time. */
  readonly #times: (readonly [then: bigint, now: bigint])[] = [];
  readonly #start = [0n, BigInt(Date.now()) * 1_000_000n] as const;

  /** @param wire of the containers' configuration, in tests/configs */
  constructor(
    private readonly rig: Rig,
    private readonly daemon: TestDaemon,
    private readonly config: string,
  ) {}

  /** What the client took for the host. */
  get authorities(): string[] {
    return [...new Set([...this.#connections.values()].flatMap(({ authorities }) => [...authorities]))];
  }

  /** @param name of the recording */
  async play(name: string): Promise<void> {
    for (const line of readFileSync(join(import.meta.dir, `../frames/${name}.txt`), "utf8")
      .trimEnd()
      .split("\n")) {
      try {
        await this.#step(line.split(" "));
      } catch (cause) {
        throw new Error(`at ${line.slice(0, 200)}`, { cause });
      }
    }
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    for (const fifos of this.#fifos.values()) fifos.close();
  }

  async #step([kind, ...words]: string[]): Promise<void> {
    if (kind === "!") return await this.#do(words);
    const connection = this.#connections.get(words[0]!) ?? new Connection(this.daemon.socket);
    this.#connections.set(words[0]!, connection);
    if (kind === "-") return connection.close();
    if (kind === "<") return await this.#see(connection, Number(words[1]), words.slice(2));
    const [, stream, type, flags, payload] = words;
    const bytes = Buffer.from(payload === "-" ? "" : payload!, "hex");
    connection.send(Number(type), Number(flags), Number(stream), bytes, (name, request) => this.#change(name, request));
  }

  async #do([what, ...words]: string[]): Promise<void> {
    if (what === "kill") await this.daemon.kill();
    else if (what === "start") await this.daemon.start();
    else if (what === "type") this.#fifos.get(`${words[0]} ${words[1]}`)!.write(`${words.slice(2).join(" ")}\n`);
    else if (what === "bundle") await this.#bundle(words[0]!, JSON.parse(words.slice(1).join(" ")));
  }

  async #bundle(name: string, { args, terminal }: { args: string[]; terminal: boolean }): Promise<void> {
    if (this.#containers.has(name)) return;
    const change = ({ process }: { process: { terminal?: boolean } }) => {
      process.terminal = terminal;
    };
    const bundle = await this.rig.bundle({ config: this.config, args, change });
    this.#containers.set(name, { id: this.rig.id(`c${this.#containers.size}`), bundle, terminal });
  }

  /** Waits for what the client was told. A replay of events may have more than when it was recorded. */
  async #see(connection: Connection, stream: number, [kind, ...words]: string[]): Promise<void> {
    const call = connection.calls.get(stream)!;
    const fits = (told: Told) => (kind === "event" ? this.#isEvent(told, words) : "code" in told);
    const index = await until(
      "it is told",
      () => {
        const found = call.told.findIndex((told, index) => index >= call.seen && fits(told));
        return found < 0 ? undefined : `${found}`;
      },
      patienceMs,
    );
    call.seen = Number(index) + 1;
    const told = call.told[Number(index)]!;
    if ("event" in told) this.#times.push([timeIn(words[4]!), timeOfEvent(told.event)]);
    else if (!(call.name === "UpdateProcess" && told.code === 0)) {
      // The end of stdin may come when the process has just ended.
      const mayBeLate = call.name === "UpdateProcess" && / not found/.test(told.words);
      if (!mayBeLate) expect(`${told.code} ${told.words}`).toBe(words.join(" "));
    }
  }

  #isEvent(told: Told, [type, name, pid, status]: string[]): boolean {
    if (!("event" in told)) return false;
    const { event } = told;
    const id = this.#containers.get(name!)?.id ?? "";
    return `${event.type} ${event.id} ${event.pid || "-"} ${event.status}` === `${type} ${id} ${pid} ${status}`;
  }

  /** What the client says that is of this machine and this moment. */
  #change(call: CallName, request: Fields): Fields {
    if (call === "Events") request = { ...request, ...this.#since(request as Message<"EventsRequest">) };
    const recorded = request.id as string;
    const container = this.#containers.get(recorded);
    if (container === undefined) return request;
    const { id, bundle } = container;
    const named = { ...request, id, ...(call === "CreateContainer" && { bundlePath: bundle }) };
    if (typeof request.stdout !== "string") return named;
    const process = basename(request.stdout).replace(/-stdout$/, "");
    const terminal = call === "CreateContainer" ? container.terminal : request.terminal === true;
    const key = `${recorded} ${process}`;
    this.#fifos.get(key)?.close();
    const fifos = new Fifos(bundle, process, terminal ? 2 : 3).open();
    this.#fifos.set(key, fifos);
    return { ...named, ...fifos.paths };
  }

  /** The moment that was meant: the beginning of all times, that of the first event then, or the start. */
  #since({ seconds, timestamp }: Message<"EventsRequest">): Message<"EventsRequest"> {
    const then = timestamp ? timeOf(timestamp) : fromSeconds(seconds!);
    if (then === 0n) return {};
    const [, now] = this.#times
      .filter(([at]) => at <= then)
      .reduce(
        (last, next) => (next[0] > last[0] || (next[0] === last[0] && next[1] < last[1]) ? next : last),
        this.#start,
      );
    return timestamp ? { timestamp: toTimestamp(now) } : { seconds: toSeconds(now) };
  }
}

function timeOfEvent({ seconds, timestamp }: Received<"Event">): bigint {
  return timestamp === null ? fromSeconds(seconds) : timeOf(timestamp);
}

/** Seconds, as the recording has them: with nanoseconds in the newer wire. */
function timeIn(text: string): bigint {
  const [seconds, nanos = "0"] = text.split(".");
  return fromSeconds(BigInt(seconds!)) + BigInt(nanos);
}
