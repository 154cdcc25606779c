/**
 * The pool's keeper: one process for each shape of machine. It starts machines ahead of time, at the lowest priority, and holds them
 * until somebody takes them; with the keeper its machines end, but for those that were taken.
 */
import { readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import type { Subprocess } from "bun";
import { messageOf } from "../../base/error";
import { commit, version } from "../../base/version";
import { chooseDriver } from "../../hypervisor";
import { availableMiB } from "../../linux/available-memory";
import { type Identity, identityOf } from "../../linux/identity";
import { setPriority } from "../../linux/processes";
import { leastMiB } from "../default-memory";
import { newSandbox, removeSandbox } from "../paths";
import {
  lockFile,
  type PooledMachine,
  type PoolStatus,
  poolKey,
  readyMark,
  shapeDirectory,
  statusFile,
  unitDirectory,
} from "./pool";
import { PoolLock } from "./pool-lock";
import { startUnit, type Unit } from "./pool-start";

/** What a keeper is to do. */
export interface KeeperTask {
  /** The directory of all pools. */
  pool: string;
  machine: PooledMachine;
  /** How many machines are to be ready. */
  size: number;
  /** How much memory the host must have left; less, and the pool shrinks. */
  reserveMiB: number;
  /** The nice value of machines when they are taken. */
  nice: number;
}

/** How often the host's memory and the image are looked at, and how long a machine that did not start is waited for. */
const lookEveryMs = 5_000;
const longestPauseMs = 60_000;
const lowest = 19;
/** How long whoever takes a machine has the processors to himself: about as long as the start of a container takes. */
const headStartMs = 500;

export class Keeper {
  readonly #task: KeeperTask;
  readonly #shape: string;
  readonly #self: Identity;
  readonly #lock: PoolLock;
  readonly #units = new Set<Unit>();
  readonly #stopped = Promise.withResolvers<void>();
  #key = "";
  #making: Promise<void> | undefined;
  /** The monitor of the machine that is being made. */
  #starting: Subprocess | undefined;
  #stopping = false;
  #taken = 0;
  #failed = 0;
  #failuresInTurn = 0;
  #notBefore = 0;
  /** Somebody has just taken a machine. */
  #headStart = false;
  #problem: string | undefined;
  #waitsForMemory = false;
  #written = "";

  /** @throws RunvError POOL_RUNNING when the shape has a keeper already */
  constructor(task: KeeperTask) {
    this.#task = task;
    this.#shape = shapeDirectory(task.pool, task.machine);
    this.#self = identityOf(process.pid)!;
    this.#lock = new PoolLock(this.#shape);
    // What is left of a keeper that was killed: its machines ended with it.
    for (const unit of this.#unitNames()) removeSandbox(`${this.#shape}/${unit}`);
    setPriority(process.pid, lowest);
  }

  /**
   * Keeps the pool until `stop`, or until its directory is found to be removed.
   * @param first is called when the first machine is ready
   * @throws RunvError when the first one does not start; nothing is left then
   */
  async run(first: () => void): Promise<void> {
    try {
      this.#key = await this.#currentKey();
      await this.#make();
      this.#writeStatus();
      first();
      const timer = setInterval(() => void this.#look(), lookEveryMs);
      this.#tend();
      await this.#stopped.promise;
      clearInterval(timer);
      await this.#making;
    } finally {
      await this.#end();
    }
  }

  async #end(): Promise<void> {
    await this.#drop(this.#units.size);
    if (this.#lock.isHeld) for (const name of [statusFile, lockFile]) rmSync(`${this.#shape}/${name}`, { force: true });
    tryToRemove(this.#shape);
    tryToRemove(this.#task.pool);
  }

  stop(): void {
    this.#stopping = true;
    // A machine that is started may take a minute, where there is no template for it.
    this.#starting?.kill("SIGKILL");
    this.#stopped.resolve();
  }

  /** Looks whether the machines are still what is wanted: of this kernel, this hypervisor, and with memory to spare. */
  async #look(): Promise<void> {
    const key = await this.#currentKey().catch(() => "");
    if (key !== this.#key) {
      this.#key = key;
      await this.#drop(this.#units.size);
    }
    const missing = this.#task.reserveMiB - availableMiB();
    this.#waitsForMemory = missing > -Math.min(leastMiB, this.#task.machine.memoryMiB);
    if (missing > 0) await this.#drop(1);
    this.#tend();
  }

  async #currentKey(): Promise<string> {
    const { machine } = this.#task;
    const { binary, version: hypervisor } = await (await chooseDriver(machine.driver, machine.driverOptions)).probe();
    return `${poolKey(machine)} ${binary} ${hypervisor}`;
  }

  /** Starts a machine if one is missing, and says how things are. Where nobody can find the pool any more, it ends. */
  #tend(): void {
    if (!this.#lock.isHeld) {
      this.stop();
      return;
    }
    const missing = this.#units.size < this.#task.size;
    const waits = this.#waitsForMemory || this.#headStart || performance.now() < this.#notBefore;
    const may = !this.#stopping && !waits;
    if (missing && may && this.#making === undefined) {
      this.#making = this.#make()
        .catch((error: unknown) => this.#note(error))
        .finally(() => {
          this.#making = undefined;
          this.#tend();
        });
    }
    if (!this.#stopping) this.#writeStatus();
  }

  #note(error: unknown): void {
    this.#failed++;
    this.#problem = messageOf(error);
    this.#notBefore = performance.now() + Math.min(longestPauseMs, 1000 * 2 ** this.#failuresInTurn++);
  }

  async #make(): Promise<void> {
    const directory = unitDirectory(this.#shape, this.#key.split(" ")[0]!, newSandbox());
    const { machine, nice } = this.#task;
    try {
      const unit = await startUnit(directory, machine, nice, (monitor) => {
        this.#starting = monitor;
      });
      this.#failuresInTurn = 0;
      this.#problem = undefined;
      this.#units.add(unit);
      void unit.client.closed.then(() => this.#gone(unit));
    } finally {
      this.#starting = undefined;
    }
  }

  /** A machine was taken; or it ended, and its directory is still there. */
  #gone(unit: Unit): void {
    if (!this.#units.delete(unit)) return;
    const name = unit.directory.slice(this.#shape.length + 1);
    if (!this.#unitNames().includes(name)) {
      this.#taken++;
      this.#giveHeadStart();
    } else {
      this.#failed++;
      removeSandbox(unit.directory);
    }
    this.#tend();
  }

  /** Not put off by everybody who comes meanwhile: then a pool that is much used would never be filled. */
  #giveHeadStart(): void {
    if (this.#headStart) return;
    this.#headStart = true;
    setTimeout(() => {
      this.#headStart = false;
      this.#tend();
    }, headStartMs);
  }

  /** Ends machines that nobody has taken. */
  async #drop(count: number): Promise<void> {
    for (const unit of [...this.#units].slice(0, count)) {
      // First out of sight, then out of hold: who takes it in between has it.
      rmSync(readyMark(unit.directory), { force: true });
      this.#units.delete(unit);
      unit.client.close();
      if (this.#unitNames().includes(unit.directory.slice(this.#shape.length + 1))) await unit.ended;
      removeSandbox(unit.directory);
    }
  }

  #unitNames(): string[] {
    if (!this.#lock.isHeld) return [];
    return readdirSync(this.#shape).filter((name) => ![statusFile, lockFile].includes(name) && !name.startsWith("."));
  }

  #writeStatus(): void {
    const { machine, size } = this.#task;
    const ready = this.#units.size;
    const state =
      ready >= size
        ? "full"
        : this.#waitsForMemory
          ? "waiting for memory"
          : this.#failuresInTurn > 0
            ? "failing"
            : "filling";
    const status: PoolStatus = {
      keeper: this.#self,
      runv: `${version} (${commit})`,
      cpus: machine.cpus,
      memoryMiB: machine.memoryMiB,
      kernel: machine.kernel,
      size,
      ready,
      taken: this.#taken,
      failed: this.#failed,
      state,
      problem: this.#problem,
    };
    const text = JSON.stringify(status);
    if (text === this.#written) return;
    writeFileSync(`${this.#shape}/.status`, text, { mode: 0o600 });
    renameSync(`${this.#shape}/.status`, `${this.#shape}/${statusFile}`);
    this.#written = text;
  }
}

function tryToRemove(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Others are in it.
  }
}
