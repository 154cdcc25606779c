/** Has a machine stand still so that others can be forked from it, or it be saved: with nothing under way between its guest and the host. */
import { RunvError } from "../base/error";
import { span } from "../base/trace";
import { connectionsOf } from "../guest/connections";
import { freeze, freezeWrittenBack } from "../guest/freeze";
import { ping } from "../guest/ping";
import { type Host, mountShare, syncAll, syncShare, unmountShare } from "../guest/prepare";
import type { Sandbox } from "./connect";
import type { FrameSwitch } from "./switch";

/** The guest has said all when it answers so often in a row and says nothing else. */
const quietPings = 2;

/** How a machine stands still. */
export interface Standing {
  /** Its container is frozen already, and stays so. */
  paused?: boolean;
  /** What the guest mounts, where that must not be mounted meanwhile. */
  without?: Host | undefined;
}

export class StandStill {
  readonly #sandbox: Sandbox;
  readonly #frames: FrameSwitch;
  readonly #container: string;
  readonly #how: Standing;
  #began: number | undefined;
  #left = false;
  #holds = false;
  #stopped = false;
  /** Fulfilled when it stands, or does not come to that, and what is done meanwhile is done. */
  #standing: Promise<unknown> = Promise.resolve();
  #ended: Promise<number> | undefined;

  /** @param container whose processes are frozen @param how what else is to be so meanwhile */
  constructor(sandbox: Sandbox, frames: FrameSwitch, container: string, how: Standing) {
    this.#sandbox = sandbox;
    this.#frames = frames;
    this.#container = container;
    this.#how = how;
  }

  /**
   * Fulfilled when it stands still; after `end`, also where this fails, it runs.
   * @param before fulfilled when it goes on after it stood still before: what has it go on is not to undo what has it stand still
   * @throws RunvError GUEST_…, VM_QMP_…
   */
  begin(before: Promise<unknown>): Promise<void> {
    const begun = before.then(() => this.#begin());
    this.#standing = begun.catch(() => {});
    return begun;
  }

  async #begin(): Promise<void> {
    this.#proceed();
    const { guest, machine, agent } = this.#sandbox;
    // What can be written back before, need not be while it stands; and what branches do first is translated then, once for all of them.
    await span("get ready, while it runs", () => Promise.all([guest.call(syncShare()), connectionsOf(guest)]));
    this.#proceed();
    this.#began = performance.now();
    const { without } = this.#how;
    // Also what a client would have frozen or let go on: that comes after what is done here.
    this.#holds = true;
    this.#frames.hold();
    await span("freeze, and write back", () => guest.call(freezeWrittenBack(this.#container)));
    if (without !== undefined) {
      this.#proceed();
      await guest.call(syncAll());
      this.#proceed();
      this.#left = true;
      await guest.call(unmountShare());
    }
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

  /** Does something while it stands, for which `end` waits. */
  meanwhile<T>(action: () => Promise<T>): Promise<T> {
    this.#proceed();
    const done = action();
    this.#standing = done.catch(() => {});
    return done;
  }

  /** Nobody waits for it any more. */
  #proceed(): void {
    if (this.#ended !== undefined) throw new RunvError("CONTAINER_BUSY", "it is to go on already");
  }

  /** It goes on, or is about to. */
  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Has it go on, once. @returns for how long its container stood, in ms @throws RunvError GUEST_…, VM_QMP_… */
  end(): Promise<number> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  async #end(): Promise<number> {
    // What is under way would be undone before it is done.
    await this.#standing;
    try {
      return await this.#goOn();
    } finally {
      if (this.#holds) this.#frames.release();
    }
  }

  async #goOn(): Promise<number> {
    const { guest, machine, agent } = this.#sandbox;
    if (this.#stopped) {
      await machine.resume();
      agent.release();
    }
    if (this.#left) await guest.call(mountShare(this.#how.without!));
    if (this.#began === undefined) return 0;
    if (this.#how.paused !== true) await guest.call(freeze(this.#container, false));
    return performance.now() - this.#began;
  }
}
