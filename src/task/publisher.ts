/** Tells containerd what happens to tasks: each event once, in order, also when containerd is away for a while. */
import { messageOf } from "../base/error";
import { log } from "../base/log";
import { now } from "../base/time";
import { toTimestamp } from "../protobuf/timestamp";
import { TtrpcClient } from "../ttrpc/client";
import { CallRefused, Status } from "../ttrpc/refusal";
import { codec, type Message } from "./messages";

/** The events, with the topics under which they are told. */
const topics = {
  TaskCreate: "/tasks/create",
  TaskStart: "/tasks/start",
  TaskOOM: "/tasks/oom",
  TaskExit: "/tasks/exit",
  TaskDelete: "/tasks/delete",
  TaskExecAdded: "/tasks/exec-added",
  TaskExecStarted: "/tasks/exec-started",
  TaskPaused: "/tasks/paused",
  TaskResumed: "/tasks/resumed",
} as const;

export type EventName = keyof typeof topics;

/** Where events are told: by a socket, or by a program where there is none. */
export interface PublisherOptions {
  namespace: string;
  /** containerd's socket for ttrpc; empty: there is none. */
  ttrpcAddress: string;
  /** containerd's main socket, and the program that publishes there. */
  address: string;
  publishBinary: string;
}

/** How many events are kept for a containerd that is away. */
const mostWaiting = 4096;
const retryMs = 500;
const answerTimeoutMs = 5_000;

export class Publisher {
  readonly #options: PublisherOptions;
  #waiting: Message<"Envelope">[] = [];
  #sending: Promise<void> | undefined;
  #client: TtrpcClient | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Tells an event, some time. */
  publish<N extends EventName>(name: N, event: Message<N>): void {
    const value = codec(name).encode(event);
    this.#waiting.push({
      timestamp: toTimestamp(now()),
      namespace: this.#options.namespace,
      topic: topics[name],
      event: { type_url: `containerd.events.${name}`, value },
    });
    if (this.#waiting.length > mostWaiting) {
      log.error(`containerd is away: the event ${this.#waiting.shift()?.topic} is lost`);
    }
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Fulfilled when all is told. */
  async settled(): Promise<void> {
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      try {
        await this.#send(first);
      } catch (error) {
        log.warn(`tell containerd of ${first.topic}: ${messageOf(error)}`);
        const refused = error instanceof CallRefused && error.code !== Status.unavailable;
        if (!refused) {
          await Bun.sleep(retryMs);
          continue;
        }
      }
      if (this.#waiting[0] === first) this.#waiting.shift();
    }
  }

  async #send(envelope: Message<"Envelope">): Promise<void> {
    const { ttrpcAddress } = this.#options;
    if (ttrpcAddress === "") return await this.#run(envelope);
    if (this.#client?.isOpen !== true) this.#client = await TtrpcClient.connect(ttrpcAddress.replace(/^unix:\/\//, ""));
    const request = codec("ForwardRequest").encode({ envelope });
    const service = "containerd.services.events.ttrpc.v1.Events";
    await this.#client.call(service, "Forward", request, answerTimeoutMs);
  }

  async #run({ topic = "", namespace = "", event = {} }: Message<"Envelope">): Promise<void> {
    const { address, publishBinary } = this.#options;
    const child = Bun.spawn(
      [publishBinary, "--address", address, "publish", "--topic", topic, "--namespace", namespace],
      { stdin: codec("Any").encode(event), stdout: "ignore", stderr: "pipe", timeout: answerTimeoutMs },
    );
    const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    if (code !== 0) throw new Error(`${publishBinary}: ${said.trim() || `exit status ${code}`}`);
  }
}
