import type { GuestProcess } from "../../guest/process";
import { viewOf } from "../../linux/netlink/message";
import { stdinWindow } from "../../wire/frame";
import type { HostNamespace } from "../host-namespace";
import { addressAt, addressSize, payloadAt, recordSize } from "./guest-programs";

/** A server that says nothing for so long says nothing any more. */
const answerTimeoutMs = 20_000;
/** More questions at once are no name resolution: the guest may ask again. */
const mostQuestions = 256;

/** Carries datagrams between the guest and a server: each question has a socket of its own, so that answers find their way. */
export class Datagrams {
  readonly #server: { ip: string; port: number };
  readonly #host: HostNamespace;
  #process: GuestProcess | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #credit = stdinWindow;
  #questions = 0;

  /** @param host where the server is */
  constructor(server: { ip: string; port: number }, host: HostNamespace) {
    this.#server = server;
    this.#host = host;
  }

  /** The guest's program that listens. */
  attach(process: GuestProcess): void {
    this.#process = process;
  }

  /** The guest has read so many bytes. */
  grant(bytes: number): void {
    this.#credit += bytes;
  }

  /** Takes what the guest puts out: records, cut anywhere. */
  take(bytes: Uint8Array): void {
    this.#process?.credit(1, bytes.length);
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      if (this.#rest.length < payloadAt) return;
      const end = payloadAt + Math.min(this.#rest.readUInt32LE(0), 0xffff);
      if (this.#rest.length < end) return;
      const from = Buffer.from(this.#rest.subarray(addressAt, addressAt + addressSize));
      void this.#ask(Buffer.from(this.#rest.subarray(payloadAt, end)), from);
      this.#rest = this.#rest.subarray(end);
    }
  }

  async #ask(question: Uint8Array, from: Uint8Array): Promise<void> {
    if (this.#questions >= mostQuestions) return;
    this.#questions++;
    const { promise: answered, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, answerTimeoutMs);
    try {
      const data = (_: unknown, answer: Uint8Array) => {
        this.#answer(answer, from);
        resolve();
      };
      const connect = { hostname: this.#server.ip, port: this.#server.port };
      const socket = await this.#host.enter(() => Bun.udpSocket({ connect, socket: { data, error: () => resolve() } }));
      socket.send(question);
      await answered;
      socket.close();
    } catch {
      // Nobody listens: the guest's question stays without an answer, as it would here.
    } finally {
      clearTimeout(timer);
      this.#questions--;
    }
  }

  /** Sends an answer, if the guest keeps up with them. One that is too long is cut, and says so. */
  #answer(answer: Uint8Array, to: Uint8Array): void {
    if (this.#credit < recordSize) return;
    this.#credit -= recordSize;
    const record = new Uint8Array(recordSize);
    const payload = answer.subarray(0, recordSize - payloadAt);
    record.set(to, addressAt);
    record.set(payload, payloadAt);
    viewOf(record).setUint32(0, payload.length, true);
    // The bit TC of a DNS header: the guest asks again over TCP.
    if (payload.length < answer.length) record[payloadAt + 2]! |= 2;
    this.#process?.write(record);
  }
}
