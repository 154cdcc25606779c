/** A container, as the daemon has it, from the start of its first process to the end of all that is left of it. */
import { messageOf } from "../base/error";
import { log } from "../base/log";
import { now, parseTime } from "../base/time";
import { remove } from "../container/delete";
import { statusOf } from "../container/record/status";
import { type ContainerRecord, tryReadRecord } from "../container/record/store";
import { atMost, ContainerMachine } from "../supervision/machine";
import type { EventLog } from "./event-log";
import type { DaemonProcess } from "./process";
import { type InitRecord, initName } from "./process-store";
import { processNotFound } from "./refusal";

/** How long the other processes of a container may take to end when its first has ended. */
const patienceMs = 10_000;

export class DaemonContainer {
  /** By their names; the first one's is `init`. */
  readonly processes = new Map<string, DaemonProcess>();
  /** Names of processes that are being started, with what tells that they are, or cannot be. */
  readonly starting = new Map<string, Promise<unknown>>();
  #machine: ContainerMachine | undefined;
  readonly #ends = new Set<Promise<void>>();

  /**
   * @param root the containers' store
   * @param init what is known of its first process
   */
  constructor(
    readonly root: string,
    readonly events: EventLog,
    readonly init: InitRecord,
  ) {}

  get id(): string {
    return this.init.id;
  }

  /** How it is: `running`, `paused`, `stopped`. */
  get status(): string {
    const record = tryReadRecord(this.root, this.id);
    return record === undefined ? "stopped" : statusOf(this.root, record);
  }

  /** Its machine. @throws RunvError SANDBOX_GONE */
  async machine(): Promise<ContainerMachine> {
    this.#machine ??= await ContainerMachine.of(this.root, this.#record(), (kills) => this.#tellOom(kills, now()));
    return this.#machine;
  }

  /** @throws Refusal */
  process(pid: string): DaemonProcess {
    const process = this.processes.get(pid);
    if (process === undefined) throw processNotFound();
    return process;
  }

  /**
   * Takes in a process that runs, or has run, and tells of its end when it comes. A container's first is for `end` to tell of.
   * @returns when the end is told
   */
  async attend(process: DaemonProcess): Promise<void> {
    const { pid } = process.record;
    this.processes.set(pid, process);
    if (pid === initName) return;
    const end = this.#attendExec(process);
    this.#ends.add(end);
    await end;
    this.#ends.delete(end);
  }

  /** Waits for the end of its first process, removes what is left of the container, and tells of it. */
  async end(gone: () => void): Promise<void> {
    const init = this.process(initName);
    const { code, at, oomKills = 0 } = await init.exited;
    gone();
    const machine = await this.machine().catch(() => undefined);
    await machine?.kill();
    // The first process is the last to be told of.
    await Promise.allSettled([...this.starting.values()]);
    await atMost(patienceMs, Promise.all(this.#ends));
    await machine?.end();
    try {
      await remove(this.root, this.id, true);
    } catch (error) {
      log.error(`remove container ${this.id}: ${messageOf(error)}`);
    }
    // If the machine could not tell any more.
    this.#tellOom(oomKills, parseTime(at) ?? now());
    this.#tellExit(init, code, at);
  }

  /** Tells of the end of memory, unless clients know that it has cost so many processes. */
  #tellOom(oomKills: number, at: bigint): void {
    const { id, key } = this.init;
    if (oomKills > this.events.oomKills(key)) this.events.append({ type: "oom", id, key, oomKills, at });
  }

  async #attendExec(process: DaemonProcess): Promise<void> {
    const { code, at } = await process.exited;
    this.processes.delete(process.record.pid);
    this.#tellExit(process, code, at);
  }

  #tellExit(process: DaemonProcess, status: number, at: string): void {
    const { key, id, pid } = process.record;
    this.events.append({ type: "exit", id, pid, status, key, at: parseTime(at) ?? now() });
    process.told = true;
    process.remove();
  }

  #record(): ContainerRecord {
    const record = tryReadRecord(this.root, this.id);
    if (record === undefined) throw processNotFound();
    return record;
  }
}
