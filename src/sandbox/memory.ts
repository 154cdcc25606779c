/** The memory that containers of a machine share, and whose it is. */
import type { Guest } from "../guest/guest";
import { makeMemory, removeMemory } from "../guest/memory";
import { sharePath } from "../guest/places";
import type { MemoryRequest } from "./messages";

export class Memories {
  readonly #guest: Guest;
  /** The containers that have each, by its name. */
  readonly #owners = new Map<string, Set<string>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  /** Gives a container what there is by this name, or else makes it. @throws RunvError GUEST_CALL_FAILED */
  add({ container, memory, from }: MemoryRequest): Promise<void> {
    return this.#next(async () => {
      const owners = this.#owners.get(memory.name);
      if (owners === undefined) await this.#guest.call(makeMemory(memory, `${sharePath}/${from}`));
      this.#owners.set(memory.name, new Set([...(owners ?? []), container]));
    });
  }

  /** Takes away what only this container had. @throws RunvError GUEST_CALL_FAILED */
  remove(container: string): Promise<void> {
    return this.#next(async () => {
      for (const [name, owners] of this.#owners) {
        if (!owners.delete(container) || owners.size > 0) continue;
        this.#owners.delete(name);
        await this.#guest.call(removeMemory(name));
      }
    });
  }

  /** One after the other: each looks at what there is. */
  #next(action: () => Promise<void>): Promise<void> {
    const done = this.#last.then(action);
    this.#last = done.catch(() => {});
    return done;
  }
}
