/**
 * A client that does what was recorded of Docker 1.11.2 and 1.12.6: the order of its calls, the FIFOs in the bundle, and what it waits
 * for. The two differ in how they write times, and in what they say of the runtime.
 */
import { expect } from "bun:test";
import { randomBytes } from "node:crypto";
import { until } from "../../support/until";
import type { Event, Follower, Outcome, TestDaemon } from "./daemon";
import { Fifos } from "./fifos";

export type Wire = "1.11" | "1.12";

export interface DockerProcess {
  /** `init`, or 64 digits. */
  pid: string;
  fifos: Fifos;
  /** Waits for its end. */
  exited(): Promise<Event>;
}

/** What Docker gives every process unless it is told otherwise. */
const environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=docker"];

export class Docker {
  #events: Follower | undefined;

  constructor(
    private readonly daemon: TestDaemon,
    readonly wire: Wire,
  ) {}

  get events(): Follower {
    return this.#events!;
  }

  /** Connects: the events since a moment, in seconds, are all that it asks for. 1.11 waits until they are live. */
  async connect(since: number): Promise<this> {
    const [seconds, whole] = [
      BigInt(Math.floor(since)),
      { timestamp: { seconds: BigInt(Math.floor(since)), nanos: 0 } },
    ];
    this.#events = this.daemon.follow(this.wire === "1.11" ? { seconds } : whole);
    if (this.wire === "1.11") await until("live", () => this.events.events.find(({ type }) => type === "live"), 60_000);
    return this;
  }

  /** Runs a container. Without `-i` its stdin is closed at once. */
  async run(id: string, bundlePath: string, { interactive = false, terminal = false } = {}): Promise<DockerProcess> {
    const started = this.#count("start-container", id);
    const fifos = this.#fifos(bundlePath, "init", terminal);
    const runtime = this.wire === "1.11" ? {} : { runtime: "docker-runc" };
    await this.daemon.call("CreateContainer", { id, bundlePath, ...fifos.paths, ...runtime });
    await until("start-container", () => this.#count("start-container", id) > started, 60_000);
    if (!interactive && !terminal) await this.daemon.try("UpdateProcess", { id, pid: "init", closeStdin: true });
    return this.#running(id, "init", fifos);
  }

  /** Runs a container that cannot start. */
  async tryRun(id: string, bundlePath: string): Promise<Outcome<"CreateContainer">> {
    const outcome = await this.daemon.try("CreateContainer", {
      id,
      bundlePath,
      ...new Fifos(bundlePath, "init").paths,
    });
    expect(await this.daemon.try("UpdateProcess", { id, pid: "init", closeStdin: true })).toMatchObject({ code: 2 });
    return outcome;
  }

  async exec(id: string, bundle: string, args: string[], options: { terminal?: boolean; interactive?: boolean } = {}) {
    const { terminal = false, interactive = false } = options;
    const { pid, fifos, request } = this.#process(id, bundle, args, terminal);
    await this.daemon.call("AddProcess", request);
    await this.events.see("start-process", id, pid);
    if (!interactive && !terminal) await this.daemon.try("UpdateProcess", { id, pid, closeStdin: true });
    return this.#running(id, pid, fifos);
  }

  /** Executes a command that cannot start. */
  async tryExec(id: string, bundle: string, args: string[]): Promise<Outcome<"AddProcess">> {
    const { fifos, request } = this.#process(id, bundle, args, false);
    return await this.daemon.try("AddProcess", request).finally(() => fifos.close());
  }

  /** The time of an event, in seconds. */
  time({ seconds, timestamp }: Event): number {
    return this.wire === "1.11" ? Number(seconds) : Number(timestamp!.seconds) + timestamp!.nanos / 1e9;
  }

  close(): void {
    this.#events?.close();
  }

  /** 1.12 makes none for a terminal's stderr, and names it all the same. */
  #fifos(bundle: string, name: string, terminal: boolean): Fifos {
    return new Fifos(bundle, name, terminal && this.wire === "1.12" ? 2 : 3).open();
  }

  /** What AddProcess is asked for. */
  #process(id: string, bundle: string, args: string[], terminal: boolean) {
    const pid = randomBytes(32).toString("hex");
    const fifos = this.#fifos(bundle, pid, terminal);
    const capabilities = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
    const request = { id, pid, args, terminal, env: environment, cwd: "/", user: {}, capabilities, ...fifos.paths };
    return { pid, fifos, request };
  }

  #running(id: string, pid: string, fifos: Fifos): DockerProcess {
    const exits = () => this.events.events.filter((event) => isOf(event, "exit", id, pid));
    // It may have ended while its start was waited for.
    const from = pid === "init" ? this.#count("start-container", id) - 1 : 0;
    return {
      pid,
      fifos,
      exited: () => until(`the exit of ${id} ${pid}`, () => exits()[from], 60_000),
    };
  }

  #count(type: string, id: string, pid?: string): number {
    return this.events.events.filter((event) => isOf(event, type, id, pid)).length;
  }
}

function isOf(event: Event, type: string, id: string, pid?: string): boolean {
  return event.type === type && event.id === id && (pid === undefined || event.pid === pid);
}
