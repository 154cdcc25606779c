/** Has a machine stand still so that others can be forked from it: with nothing under way between its guest and the host. */
import { RunvError } from "../base/error";
import { span } from "../base/trace";
import { connectionsOf } from "../guest/connections";
import { freeze, freezeWrittenBack } from "../guest/freeze";
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
  readonly #paused: boolean;
  #began: number | undefined;
  #stopped = false;
  /** Fulfilled when it stands, or does not come to that. */
  #standing: Promise<unknown> = Promise.resolve();
  #ended: Promise<number> | undefined;

  /** @param container whose processes are frozen @param paused they are already, and stay so */
  constructor(sandbox: Sandbox, frames: FrameSwitch, container: string, paused: boolean) {
    this.#sandbox = sandbox;
    this.#frames = frames;
    this.#container = container;
    this.#paused = paused;
  }

  /** Fulfilled when it stands still; after `end`, also where this fails, it runs. @throws RunvError GUEST_…, VM_QMP_… */
  begin(): Promise<void> {
    const begun = this.#begin();
    this.#standing = begun.catch(() => {});
    return begun;
  }

  async #begin(): Promise<void> {
    const { guest, machine, agent } = this.#sandbox;
    // What can be written back before, need not be while it stands; and what branches do first is translated then, once for all of them.
    await span("get ready, while it runs", () => Promise.all([guest.call(syncShare()), connectionsOf(guest)]));
    this.#proceed();
    this.#began = performance.now();
    await span("freeze, and write back", () => guest.call(freezeWrittenBack(this.#container)));
    this.#frames.hold();
    await span("wait for quiet", () => this.#quiet());
    agent.hold();
    this.#stopped = true;
    await span("stop the processors", () => machine.pause());
  }

  async #quiet(): Promise<void> {
    for (let quiet = 0; quiet < quietPings; quiet++) {
      this.#proceed();
      const before = this.#frames.frames;
      await ping(this.#sandbox.guest);
      if (this.#frames.frames !== before) quiet = -1;
    }
  }

  /** Nobody waits for it any more. */
  #proceed(): void {
    if (this.#ended !== undefined) throw new RunvError("CONTAINER_BUSY", "it is to go on already");
  }

  /** Has it go on, once. @returns for how long its container stood, in ms @throws RunvError GUEST_…, VM_QMP_… */
  end(): Promise<number> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<number> {
    // What is under way would be undone before it is done.
    await this.#standing;
    const { guest, machine, agent } = this.#sandbox;
    if (this.#stopped) await machine.resume();
    agent.release();
    this.#frames.release();
    if (this.#began === undefined) return 0;
    if (!this.#paused) await guest.call(freeze(this.#container, false));
    return performance.now() - this.#began;
  }
}
