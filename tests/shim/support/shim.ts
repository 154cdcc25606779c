/** containerd's end of a shim, without containerd: it starts one, calls it, and hears its events. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codec, type Message, type Received } from "../../../src/task/messages";
import type { EventName } from "../../../src/task/publisher";
import { TtrpcClient } from "../../../src/ttrpc/client";
import { listen } from "../../../src/ttrpc/server";
import type { Rig } from "../../support/rig";
import { commandLine, marker } from "../../support/runv";
import { until } from "../../support/until";

/** An event, in short: its topic, and its process or exit code where it has one. */
export type Heard = readonly [topic: string, ...more: (string | number)[]];

const namespace = "test";
const callTimeoutMs = 60_000;

export class TestShim {
  readonly events: Heard[] = [];
  #client: TtrpcClient | undefined;
  #stopListening = () => {};

  private constructor(
    readonly rig: Rig,
    readonly id: string,
    readonly bundle: string,
  ) {}

  /** Runs `body` with a shim of a bundle, which is started and ended as containerd does. */
  static async with(
    rig: Rig,
    id: string,
    bundle: string,
    body: (shim: TestShim) => Promise<void>,
    env: Record<string, string> = {},
  ): Promise<void> {
    const shim = new TestShim(rig, id, bundle);
    writeFileSync(shim.publisher, `#!/bin/sh\necho "$@ $(od -An -v -tx1 | tr -d ' \\n')" >> "$0.log"\n`, {
      mode: 0o755,
    });
    try {
      shim.listen();
      await shim.start(env);
      await body(shim);
    } finally {
      shim.#client?.close();
      await shim.run("delete");
      shim.#stopListening();
    }
    const left = () =>
      [".shims", namespace].flatMap((name) =>
        list(join(shim.root, ".containerd", name)).filter((entry) => entry !== ".sandboxes"),
      );
    // Who was told to shut down has answered before it did.
    await until("nothing to be left of the shim", () => left().length === 0);
  }

  /** runv's own root, below which the shim's is. */
  get root(): string {
    return join(this.rig.directory, "shim-root");
  }

  get eventsSocket(): string {
    return join(this.rig.directory, "events.sock");
  }

  /** The program that publishes events where there is no socket for them: it keeps what it is given in `published`. */
  get publisher(): string {
    return join(this.rig.directory, "publish");
  }

  /** What it was given, with the event's bytes in hexadecimal. */
  get published(): string[] {
    const file = `${this.publisher}.log`;
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  }

  /** Hears events from now on. */
  listen(): void {
    const { stop } = listen(this.eventsSocket, async (_service, _method, payload) => {
      const { envelope } = codec("ForwardRequest").decode(payload);
      this.events.push(inShort(envelope!));
      return new Uint8Array();
    });
    this.#stopListening = stop;
  }

  /** Hears no more, as a containerd that is away. */
  stopListening(): void {
    this.#stopListening();
  }

  /** `containerd-shim-runv-v2 start` or `delete`. @returns its standard output */
  async run(action: "start" | "delete", env: Record<string, string> = {}): Promise<Uint8Array> {
    const flags = ["-namespace", namespace, "-address", "/nowhere", "-publish-binary", this.publisher, "-id", this.id];
    const child = Bun.spawn(commandLine(["--root", this.root, "containerd-shim", ...flags, action]), {
      cwd: this.bundle,
      env: { ...process.env, [marker]: this.rig.name, TTRPC_ADDRESS: this.eventsSocket, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [answer, said, code] = await Promise.all([
      new Response(child.stdout).bytes(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    if (code !== 0 || said !== "") throw new Error(`${action}: exit code ${code}: ${said}`);
    return answer;
  }

  /** @param env of `start` */
  async start(env: Record<string, string> = {}): Promise<void> {
    mkdirSync(this.root, { recursive: true });
    const address = Buffer.from(await this.run("start", env)).toString();
    if (readFileSync(join(this.bundle, "address"), "utf8") !== address) throw new Error(`no address file: ${address}`);
    this.#client = await TtrpcClient.connect(this.socket);
  }

  /** Where the shim serves. */
  get socket(): string {
    return readFileSync(join(this.bundle, "address"), "utf8").replace("unix://", "");
  }

  /** The pid of the process that serves. */
  async pid(): Promise<number> {
    return (await this.call("Connect", "IdRequest", { id: this.id }, "ConnectResponse")).shim_pid;
  }

  async call<A extends Parameters<typeof codec>[0], B extends Parameters<typeof codec>[0]>(
    method: string,
    asked: A,
    request: Message<A>,
    answered: B,
    service = "containerd.task.v2.Task",
  ): Promise<Received<B>> {
    const payload = await this.#client!.call(service, method, codec(asked).encode(request), callTimeoutMs);
    return codec(answered).decode(payload) as Received<B>;
  }

  /** Waits until an event has been heard. */
  async heard(topic: string): Promise<void> {
    await until(`the event ${topic}`, () => this.events.some(([name]) => name === topic), 60_000);
  }
}

/** A bundle as containerd makes one: its root file system comes with the Create request. */
export async function bareBundle(rig: Rig, args: string[], { readonly = true } = {}) {
  const bundle = await rig.bundle({
    args,
    change: (config) => {
      config.linux.cgroupsPath = `/${rig.name}`;
      config.root.readonly = readonly;
    },
  });
  const file = join(bundle, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  const source: string = config.root.path;
  config.root.path = "rootfs";
  writeFileSync(file, JSON.stringify(config));
  return { bundle, rootfs: [{ type: "bind", source, options: ["rbind", "rw"] }] };
}

function inShort({ topic, event }: Received<"Envelope">): Heard {
  const name = event!.type_url.replace("containerd.events.", "");
  const message = codec(name as EventName).decode(event!.value) as Readonly<Record<string, string | number>>;
  const { exec_id, id, exit_status } = message;
  const more = [exec_id, name === "TaskExit" ? id : undefined, exit_status];
  return [topic.replace("/tasks/", ""), ...more.filter((value) => value !== undefined)];
}

function list(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}
