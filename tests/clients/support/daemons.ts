/** The real daemons, as Debian has them, with runv beside runc. */
import { join } from "node:path";
import { until } from "../../support/until";
import { configuration } from "./configuration";
import type { World } from "./world";

type Daemon = ReturnType<World["start"]>;

export class Daemons {
  #dockerd: Daemon | undefined;
  #containerd: Daemon | undefined;

  constructor(private readonly world: World) {}

  async start(): Promise<void> {
    await this.configure();
    await this.startContainerd();
    await this.startDockerd();
  }

  /** Writes the clients' settings. */
  async configure(): Promise<void> {
    for (const [path, content] of Object.entries(configuration)) await this.write(path, content);
    await this.world.must("runv install-containerd --name runv-shim");
  }

  async write(path: string, content: string): Promise<void> {
    await this.world.must(`mkdir -p $(dirname ${path}) && printf %s "$CONTENT" > ${path}`, { CONTENT: content });
  }

  async startContainerd(): Promise<void> {
    this.#containerd = this.world.start(["containerd"], join(this.world.directory, "containerd.log"));
    await this.#answers("containerd", "ctr version");
  }

  async startDockerd(): Promise<void> {
    this.#dockerd = this.world.start(["dockerd"], join(this.world.directory, "dockerd.log"));
    await this.#answers("dockerd", "/usr/bin/docker version");
  }

  get dockerd(): Daemon {
    return this.#dockerd!;
  }

  get containerd(): Daemon {
    return this.#containerd!;
  }

  /** Ends them as a machine does that shuts down. */
  async stop(): Promise<void> {
    for (const daemon of [this.#dockerd, this.#containerd]) {
      daemon?.kill("SIGTERM");
      await daemon?.exited;
    }
  }

  async #answers(what: string, script: string): Promise<void> {
    await until(`${what} answers`, async () => (await this.world.run(script)).code === 0, 30_000);
  }
}
