/** A runv-containerd of a test's own, with what its clients need. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import type { Received } from "../../../src/containerd/api/messages";
import type { Answered, Asked, CallName } from "../../../src/containerd/api/service";
import { ApiClient, type EventsReader } from "../../../src/containerd/client";
import type { Rig } from "../../support/rig";
import { commandLine, marker, type Result, runRunv } from "../../support/runv";
import { until } from "../../support/until";

export type Event = Received<"Event">;

/** What a call answers, or how it is refused. */
export type Outcome<N extends CallName> = Answered<N> | { code: number; details: string };

export class TestDaemon {
  readonly state: string;
  readonly socket: string;
  #process: Subprocess | undefined;
  #client: ApiClient | undefined;

  private constructor(
    readonly rig: Rig,
    private readonly flags: readonly string[],
  ) {
    this.state = join(rig.directory, "state");
    this.socket = join(rig.directory, "c.sock");
    mkdirSync(this.state, { recursive: true });
  }

  /** The containers' store: what `runv --root` takes. */
  get root(): string {
    return join(this.state, "containers");
  }

  get pid(): number {
    return this.#process!.pid;
  }

  get client(): ApiClient {
    this.#client ??= new ApiClient(this.socket);
    return this.#client;
  }

  /** Runs `body` with a daemon, of which nothing is left then, nor of its containers. */
  static async with(
    rig: Rig,
    body: (daemon: TestDaemon) => Promise<void>,
    flags: readonly string[] = [],
  ): Promise<void> {
    const daemon = await TestDaemon.launch(rig, flags);
    try {
      await body(daemon);
    } finally {
      await daemon.close();
    }
  }

  static async launch(rig: Rig, flags: readonly string[] = []): Promise<TestDaemon> {
    const daemon = new TestDaemon(rig, flags);
    await daemon.start();
    return daemon;
  }

  async start(): Promise<void> {
    const log = Bun.file(join(this.rig.directory, "daemon.log"));
    this.#process = Bun.spawn(
      commandLine([
        "--debug",
        "--log",
        log.name!,
        "containerd",
        "--state-dir",
        this.state,
        "-l",
        this.socket,
        ...this.flags,
      ]),
      { env: { ...process.env, [marker]: this.rig.name }, stdio: ["ignore", "ignore", "ignore"] },
    );
    await this.client.connect(60_000);
  }

  /** Kills it with SIGKILL. */
  async kill(): Promise<void> {
    this.#process?.kill(9);
    await this.#process?.exited;
    this.#client?.close();
    this.#client = undefined;
  }

  /** Ends it, as a service manager does. @returns its exit code */
  async stop(): Promise<number> {
    this.#process?.kill("SIGTERM");
    const code = (await this.#process?.exited) ?? 0;
    this.#client?.close();
    this.#client = undefined;
    return code;
  }

  /** Waits until it ends by itself. @returns its exit code */
  async ended(): Promise<number> {
    return await this.#process!.exited;
  }

  /** Makes a call that must succeed. */
  async call<N extends Exclude<CallName, "Events">>(name: N, request: Asked<N>): Promise<Answered<N>> {
    return await this.client.call(name, request);
  }

  /** Makes a call that may be refused. */
  async try<N extends Exclude<CallName, "Events">>(name: N, request: Asked<N>): Promise<Outcome<N>> {
    try {
      return await this.client.call(name, request);
    } catch (error) {
      const { code, details } = error as { code?: number; details?: string };
      if (code === undefined || details === undefined) throw error;
      return { code, details };
    }
  }

  follow(request: Asked<"Events">): Follower {
    return new Follower(this.client.events(request));
  }

  /** All events that are in the log, optionally of one container. */
  async stored(id = ""): Promise<Event[]> {
    const stream = this.client.events({ timestamp: { seconds: 1n, nanos: 0 }, storedOnly: true, id });
    return await Array.fromAsync(stream);
  }

  /** Runs `runv ctr ARGS`. */
  async ctr(args: readonly string[], input?: string): Promise<Result> {
    const address = ["ctr", "--address", `unix://${this.socket}`, "--conn-timeout", "30s"];
    return await runRunv(this.rig.name, [...address, ...args], input === undefined ? {} : { input });
  }

  /** Runs `runv` on the daemon's containers. */
  async runv(args: readonly string[]): Promise<Result> {
    return await runRunv(this.rig.name, ["--root", this.root, ...args]);
  }

  /** What it has kept of processes that have ended. */
  leftovers(): string[] {
    return ["containers", "processes"].flatMap((name) => {
      const path = join(this.state, name);
      return existsSync(path) ? readdirSync(path).filter((entry) => !entry.startsWith(".")) : [];
    });
  }

  log(): string {
    return readFileSync(join(this.rig.directory, "daemon.log"), "utf8");
  }

  async close(): Promise<void> {
    if (this.#process?.exitCode === null) await this.stop();
    for (const id of existsSync(this.root) ? readdirSync(this.root) : []) {
      if (!id.startsWith(".")) await this.runv(["delete", "--force", id]);
    }
  }
}

/** A client that follows events. */
export class Follower {
  readonly events: Event[] = [];
  /** How the stream ended. */
  end: string | undefined;

  constructor(private readonly stream: EventsReader) {
    stream.on("data", (event: Event) => this.events.push(event));
    stream.on("end", () => {
      this.end ??= "";
    });
    stream.on("error", (error: Error & { code?: number; details?: string }) => {
      this.end = `${error.code}: ${error.details}`;
    });
  }

  /** Waits for an event. */
  async see(type: string, id: string, pid?: string): Promise<Event> {
    const what = `the event ${type} of ${id} ${pid ?? ""}`;
    const matches = (event: Event) =>
      event.type === type && event.id === id && (pid === undefined || event.pid === pid);
    return await until(what, () => this.events.find(matches), 60_000).catch((cause) => {
      throw new Error(`${what} does not come; there are ${this.events.map(brief).join("; ")}`, { cause });
    });
  }

  /** Takes nothing for a while. */
  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  close(): void {
    this.stream.cancel();
  }
}

/** An event in a few words. */
export function brief({ type, id, pid, status }: Event): string {
  return [type, id, pid, status].join(" ");
}
