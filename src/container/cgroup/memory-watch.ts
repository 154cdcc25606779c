import { countOomKills, followMemory } from "../../guest/watch-memory";
import type { SandboxClient } from "../../sandbox/client";
import type { ShimContainer } from "../shim/shim-messages";

/** Sees to it that whoever watches the container's cgroup on the host learns that it ran out of memory in the guest. */
export class MemoryWatch {
  readonly #sandbox: SandboxClient;
  readonly #container: ShimContainer;
  /** How many of its processes the end of memory had cost when it was told last. */
  #told = 0;
  #telling: Promise<void> = Promise.resolve();

  constructor(sandbox: SandboxClient, container: ShimContainer) {
    this.#sandbox = sandbox;
    this.#container = container;
  }

  /** Tells it as it happens, from now on. */
  follow(): void {
    followMemory(this.#sandbox.guest, this.#container.id, (kills) => this.#tell(kills)).catch(() => {});
  }

  /** Tells what is to be told before the container's end is. Never rejects. @returns how many processes it was in all */
  async conclude(): Promise<number> {
    this.#tell(await countOomKills(this.#sandbox.guest, this.#container.id).catch(() => 0));
    await this.#telling;
    return this.#told;
  }

  #tell(kills: number): void {
    if (kills <= this.#told) return;
    this.#told = kills;
    const tell = () => this.#sandbox.outOfMemory(this.#container.cgroup);
    // The monitor has noted what went wrong; the exit code tells of the end of memory as well.
    this.#telling = this.#telling.then(tell).catch(() => {});
  }
}
