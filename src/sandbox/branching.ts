/** Has a running machine stand still so that others can be forked from it, or it be saved, for one client at a time. */
import { closeSync } from "node:fs";
import { messageOf, RunvError } from "../base/error";
import { log } from "../base/log";
import { span } from "../base/trace";
import type { Forker, Machine } from "../hypervisor/driver";
import { takeDescriptor } from "../linux/take-descriptor";
import type { Sandbox } from "./connect";
import type { Forked, ForkRequest, SaveRequest, StillRequest, Stood } from "./messages";
import { type Standing, StandStill } from "./stand-still";
import type { Client, FrameSwitch } from "./switch";

/** It stands no longer than that, in ms, whatever its client does. */
const mostMs = 20_000;

/** As one client wants it. */
interface Stands {
  client: Client;
  still: StandStill;
  /** How many are still to be forked. */
  forks: number;
  /** For whom one is. */
  forking: Set<Client>;
  /** It goes on, or is about to. */
  ended: boolean;
  /** Fulfilled when it goes on. */
  over: PromiseWithResolvers<void>;
  forker?: Promise<Forker>;
}

export class Branching {
  readonly #sandbox: Sandbox;
  readonly #frames: FrameSwitch;
  readonly #share: string;
  #stood: Stands | undefined;
  /** Fulfilled when it goes on after it stood last. */
  #over: Promise<void> = Promise.resolve();

  /** @param share where the machine's share is mounted for this process */
  constructor(sandbox: Sandbox, frames: FrameSwitch, share: string) {
    this.#sandbox = sandbox;
    this.#frames = frames;
    this.#share = share;
  }

  /** Fulfilled when it stands still. Where that fails it goes on. @throws RunvError CONTAINER_BUSY, GUEST_…, VM_QMP_… */
  async begin(client: Client, { paused, ...request }: StillRequest): Promise<void> {
    const stood = await this.#stand(client, request, { paused });
    if (stood.ended) return;
    const timer = setTimeout(() => goOn(stood), mostMs);
    void stood.over.promise.then(() => clearTimeout(timer));
  }

  async #stand(client: Client, { container, forks }: Pick<StillRequest, "container" | "forks">, how: Standing) {
    if (this.#stood !== undefined) {
      throw new RunvError("CONTAINER_BUSY", "the container is being branched or checkpointed just now");
    }
    const still = new StandStill(this.#sandbox, this.#frames, container, how);
    const stood: Stands = { client, still, forks, forking: new Set(), ended: false, over: Promise.withResolvers() };
    this.#stood = stood;
    const before = this.#over;
    this.#over = stood.over.promise;
    try {
      await still.begin(before);
    } catch (error) {
      await end(stood);
      throw error;
    }
    return stood;
  }

  /**
   * Saves it with its memory, and has it stand still until `goOn` or the client's end; where that fails, it goes on.
   * @throws RunvError CONTAINER_BUSY, CHECKPOINT_REFUSED, VM_SAVE, …
   */
  async save(client: Client, { container, pid, memory, devices }: SaveRequest, how: Standing) {
    const { machine, guest, hello, hiddenNic } = this.#sandbox;
    const to = { memory: takeDescriptor(pid, memory), devices: takeDescriptor(pid, devices) };
    try {
      const stood = await this.#stand(client, { container, forks: Number.POSITIVE_INFINITY }, how);
      try {
        const known = { size: machine.size, hello, hiddenNic, own: guest.known, processes: this.#frames.processes };
        return { notes: await stood.still.meanwhile(() => machine.saveWhole!(to)), ...known };
      } catch (error) {
        await end(stood);
        throw error;
      }
    } finally {
      for (const fd of Object.values(to)) closeSync(fd);
    }
  }

  /** Whether it stands still for this client, and does not go on. */
  standsFor(client: Client): boolean {
    return this.#stood?.client === client && !this.#stood.still.ended;
  }

  /** Has it go on. */
  async goOn(): Promise<Stood> {
    return { ms: this.#stood === undefined ? 0 : await end(this.#stood) };
  }

  /** Forks it. @throws RunvError VM_FORK, BRANCH_REFUSED */
  async fork(client: Client, { pid, fd }: ForkRequest): Promise<Forked> {
    const stood = this.#stood;
    if (stood === undefined || stood.ended) throw notStanding();
    stood.forking.add(client);
    const { machine, guest, hello, hiddenNic } = this.#sandbox;
    const connection = takeDescriptor(pid, fd);
    try {
      // What is known of it is the same for all, for it stands still.
      stood.forker ??= span("look at what it has open", () => forkerOf(machine, this.#share));
      const forker = await stood.forker;
      if (stood.ended) throw notStanding();
      await span("fork", () => forker.fork(connection));
      const { notes } = forker;
      return { notes, size: machine.size, hello, hiddenNic, own: guest.known, processes: this.#frames.processes };
    } finally {
      closeSync(connection);
    }
  }

  /** What was forked for a client is a machine of its own. Fulfilled when the others are, too: until then they are not to lack processor time. */
  async forked(client: Client): Promise<void> {
    const stood = this.#stood;
    if (stood === undefined) return;
    this.#done(stood, client);
    await stood.over.promise;
  }

  /** A client has gone: for whom the machine stands still, or whose fork is done. */
  leave(client: Client): void {
    const stood = this.#stood;
    if (stood === undefined) return;
    this.#done(stood, client);
    if (stood.client !== client) return;
    goOn(stood);
    this.#stood = undefined;
  }

  #done(stood: Stands, client: Client): void {
    if (stood.forking.delete(client) && --stood.forks <= 0) goOn(stood);
  }
}

function goOn(stood: Stands): void {
  end(stood).catch((error) => log.warn(`go on after branches: ${messageOf(error)}`));
}

async function end(stood: Stands): Promise<number> {
  const { still, forker, over } = stood;
  stood.ended = true;
  try {
    await forker?.then(
      (forker) => forker.close(),
      () => {},
    );
    return await still.end();
  } finally {
    over.resolve();
  }
}

function notStanding(): RunvError {
  return new RunvError("BRANCH_REFUSED", "the virtual machine does not stand still, or does no longer");
}

async function forkerOf(machine: Machine, share: string): Promise<Forker> {
  if (machine.forker !== undefined) return await machine.forker(share);
  throw new RunvError("BRANCH_REFUSED", `the driver ${machine.driver} cannot fork a machine that runs`, {
    hint: "--driver tcg can, with --share 9p or fuse, and templates",
  });
}
