/** Has a machine stand still so that others can be forked from it: with nothing under way between its guest and the host. */
import { freeze } from "../guest/freeze";
import { ping } from "../guest/ping";
import { syncShare } from "../guest/prepare";
import type { Sandbox } from "./connect";
import type { FrameSwitch } from "./switch";

/** The guest has said all when it answers so often in a row and says nothing else. */
const quietPings = 2;

export class StandStill {
  readonly #sandbox: Sandbox;
  readonly #frames: FrameSwitch;
  readonly #container: string;
  #began = 0;
  #frozen = false;
  #paused = false;
  #ended: Promise<number> | undefined;

  /** @param container whose processes are frozen */
  constructor(sandbox: Sandbox, frames: FrameSwitch, container: string) {
    this.#sandbox = sandbox;
    this.#frames = frames;
    this.#container = container;
  }

  /** Fulfilled when it stands still; after `end`, also where this fails, it runs. @throws RunvError GUEST_…, VM_QMP_… */
  async begin(): Promise<void> {
    const { guest, machine } = this.#sandbox;
    // What can be written back before, need not be while it stands.
    await guest.call(syncShare());
    this.#began = performance.now();
    this.#frozen = true;
    await guest.call(freeze(this.#container, true));
    await guest.call(syncShare());
    this.#frames.hold();
    for (let quiet = 0; quiet < quietPings; quiet++) {
      const before = this.#frames.frames;
      await ping(guest);
      if (this.#frames.frames !== before) quiet = -1;
    }
    this.#sandbox.agent.hold();
    this.#paused = true;
    await machine.pause();
  }

  /** Has it go on, once. @returns for how long its container stood, in ms @throws RunvError GUEST_…, VM_QMP_… */
  end(): Promise<number> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<number> {
    const { guest, machine, agent } = this.#sandbox;
    if (this.#paused) await machine.resume();
    agent.release();
    this.#frames.release();
    if (this.#frozen) await guest.call(freeze(this.#container, false));
    return performance.now() - this.#began;
  }
}
