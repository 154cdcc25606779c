/** Has a running machine stand still so that others can be forked from it, for one client at a time. */
import { closeSync } from "node:fs";
import { messageOf, RunvError } from "../base/error";
import { log } from "../base/log";
import type { Machine } from "../hypervisor/driver";
import { takeDescriptor } from "../linux/take-descriptor";
import type { Sandbox } from "./connect";
import type { Forked, ForkRequest, StillRequest, Stood } from "./messages";
import { StandStill } from "./stand-still";
import type { Client, FrameSwitch } from "./switch";

export class Branching {
  readonly #sandbox: Sandbox;
  readonly #frames: FrameSwitch;
  readonly #share: string;
  #stood: { client: Client; still: StandStill; forks: number; forking: Set<Client> } | undefined;

  /** @param share where the machine's share is mounted for this process */
  constructor(sandbox: Sandbox, frames: FrameSwitch, share: string) {
    this.#sandbox = sandbox;
    this.#frames = frames;
    this.#share = share;
  }

  /** Fulfilled when it stands still. Where that fails it goes on. @throws RunvError CONTAINER_BUSY, GUEST_…, VM_QMP_… */
  async begin(client: Client, { container, forks }: StillRequest): Promise<void> {
    if (this.#stood !== undefined) throw new RunvError("CONTAINER_BUSY", "others are being branched off just now");
    const still = new StandStill(this.#sandbox, this.#frames, container);
    this.#stood = { client, still, forks, forking: new Set() };
    try {
      await still.begin();
    } catch (error) {
      await still.end();
      throw error;
    }
  }

  /** Has it go on. */
  async goOn(): Promise<Stood> {
    return { ms: (await this.#stood?.still.end()) ?? 0 };
  }

  /** Forks it. @throws RunvError VM_FORK, BRANCH_REFUSED */
  async fork(client: Client, { pid, fd }: ForkRequest): Promise<Forked> {
    if (this.#stood === undefined) throw new RunvError("BRANCH_REFUSED", "the virtual machine does not stand still");
    this.#stood.forking.add(client);
    const { machine, guest, hello, hiddenNic } = this.#sandbox;
    const connection = takeDescriptor(pid, fd);
    const notes = await forkOf(machine, connection, this.#share).finally(() => closeSync(connection));
    return { notes, size: machine.size, hello, hiddenNic, own: guest.known, processes: this.#frames.processes };
  }

  /** A client has gone: for whom the machine stands still, or whose fork is done. */
  leave(client: Client): void {
    const stood = this.#stood;
    if (stood === undefined) return;
    if (stood.forking.delete(client)) stood.forks--;
    if (stood.client !== client && stood.forks > 0) return;
    stood.still.end().catch((error) => log.warn(`go on after branches: ${messageOf(error)}`));
    if (stood.client === client) this.#stood = undefined;
  }
}

async function forkOf(machine: Machine, connection: number, share: string): Promise<unknown> {
  if (machine.fork !== undefined) return await machine.fork(connection, share);
  throw new RunvError("BRANCH_REFUSED", `the driver ${machine.driver} cannot fork a machine that runs`, {
    hint: "--driver tcg can, with --share 9p and templates",
  });
}
