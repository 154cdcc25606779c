/** A task of containerd's: a container, from Create to Delete. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../base/error";
import { log } from "../base/log";
import type { GlobalOptions } from "../base/settings";
import { formatTime, now } from "../base/time";
import { create } from "../container/create";
import { remove } from "../container/delete";
import { startExec } from "../container/exec-process";
import { existingImage } from "../container/image/checkpoint-image";
import { killContainer } from "../container/kill";
import { passwdOf, withEnvironment } from "../container/making/environment";
import { openRunning } from "../container/record/open";
import { type ExitRecord, readRecord, tryReadRecord } from "../container/record/store";
import { goOn, type RestoreOptions, restore } from "../container/restore";
import type { ShimHandle } from "../container/shim/spawn-shim";
import { start } from "../container/start";
import { SIGKILL } from "../linux/signals";
import type { Process } from "../oci/process";
import { settings } from "../sandbox/settings";
import { atMost, ContainerMachine } from "../supervision/machine";
import { signalFurther } from "../supervision/signal";
import { CallRefused, Status } from "../ttrpc/refusal";
import { type Message, type Received, TaskStatus } from "./messages";
import { TaskProcess } from "./process";
import type { EventName, Publisher } from "./publisher";
import { finished, noProcess, wrongState } from "./refused";
import { diskOf } from "./root-disk";
import { mountAll, unmountAll } from "./rootfs";
import { openStreams, type StreamNames } from "./stdio";

/** How long the other processes of a container may take to end when its first has ended. */
const patienceMs = 10_000;

export interface TaskOptions {
  /** With the containers' store as its root. */
  global: GlobalOptions;
  namespace: string;
  publisher: Publisher;
  /** @returns a new directory, for one process */
  newDirectory(): string;
}

export class Task {
  readonly id: string;
  readonly bundle: string;
  readonly #options: TaskOptions;
  readonly #execs = new Map<string, TaskProcess>();
  #machine: Promise<ContainerMachine> | undefined;
  #oomKills = 0;
  /** It is made by its start, of a checkpoint. */
  #toRestore: RestoreOptions | undefined;

  private constructor(
    options: TaskOptions,
    { id, bundle }: Pick<Received<"CreateTaskRequest">, "id" | "bundle">,
    readonly init: TaskProcess,
  ) {
    this.#options = options;
    this.id = id;
    this.bundle = bundle;
  }

  /**
   * Makes a container, whose first process waits to be started then.
   * @throws RunvError; nothing is left of it then
   */
  static async create(options: TaskOptions, request: Received<"CreateTaskRequest">): Promise<Task> {
    const { id, bundle, rootfs, checkpoint } = request;
    const { global, publisher } = options;
    const directory = join(bundle, "rootfs");
    const rootDisk = diskOf(rootfs, settings(global).driver);
    if (rootfs.length > 0) {
      mkdirSync(directory, { recursive: true, mode: 0o711 });
      if (rootDisk === undefined) mountAll(rootfs, directory);
    }
    let init: TaskProcess | undefined;
    try {
      init = await newProcess(options, id, "", request);
      const none = { consoleSocket: undefined, pidfdSocket: undefined, pidFile: undefined, preserveFds: 0 };
      const plan = { global, id, bundle, rootDisk, attended: init.attended, ...none };
      const task = new Task(options, request, init);
      if (checkpoint === "") task.#run((await create(plan, { detach: true, complete: false })).shim);
      else task.#toRestore = { ...plan, image: existingImage(checkpoint), detach: true, keep: false };
      const { names: io, pid } = init;
      publisher.publish("TaskCreate", { container_id: id, bundle, rootfs, io, checkpoint, pid });
      return task;
    } catch (error) {
      if (init !== undefined) await discard(init);
      unmountAll(directory);
      throw error;
    }
  }

  /** All its processes, its first before the others. */
  get processes(): TaskProcess[] {
    return [this.init, ...this.#execs.values()];
  }

  /** @param execId empty for its first @throws CallRefused */
  process(execId: string): TaskProcess {
    const process = execId === "" ? this.init : this.#execs.get(execId);
    if (process === undefined) throw noProcess(execId);
    return process;
  }

  /** How a process is, as `containerd.v1.types.Status`. */
  statusOf(process: TaskProcess): number {
    if (process.exit !== undefined) return TaskStatus.stopped;
    if (!process.started) return TaskStatus.created;
    const isPaused = tryReadRecord(this.#options.global.root, this.id)?.paused === true;
    return isPaused ? TaskStatus.paused : TaskStatus.running;
  }

  /** Its machine. @throws RunvError SANDBOX_GONE */
  machine(): Promise<ContainerMachine> {
    this.#machine ??= this.#connect();
    return this.#machine;
  }

  /** Lets its first process go. @throws RunvError, CallRefused */
  async start(): Promise<void> {
    const { init } = this;
    if (this.statusOf(init) !== TaskStatus.created) throw wrongState("cannot start a task that has been started");
    await this.#starting(init, async () => {
      const { root } = this.#options.global;
      if (this.#toRestore !== undefined) await this.#restore(this.#toRestore);
      // Before it starts, so that the first process that the end of memory costs is seen.
      await this.machine();
      await (this.#toRestore === undefined ? start(root, this.id) : goOn(root, this.id));
      init.started = true;
      this.#publish("TaskStart", { pid: init.pid });
    });
  }

  /** Makes it, of a checkpoint, up to where its processes go on. @throws RunvError; nothing is left of it then, and it may be tried again */
  async #restore(plan: RestoreOptions): Promise<void> {
    if (this.init.pid !== 0) throw wrongState("cannot start a task that has been started");
    this.#run((await restore(plan)).shim);
  }

  #run(shim: ShimHandle): void {
    shim.release();
    void this.#followInit(this.init.run(shim));
  }

  /** Adds a process, which waits to be started. @throws RunvError, CallRefused */
  async exec(execId: string, names: StreamNames, spec: Process): Promise<void> {
    if (this.init.exit !== undefined) throw wrongState("cannot exec in a stopped container");
    if (this.#execs.has(execId)) throw exists(execId);
    const process = await newProcess(this.#options, this.id, execId, names, spec);
    if (this.#execs.has(execId)) {
      await discard(process);
      throw exists(execId);
    }
    this.#execs.set(execId, process);
    this.#publish("TaskExecAdded", { exec_id: execId });
  }

  /** Starts such a process. @throws RunvError, CallRefused */
  async startExec(process: TaskProcess): Promise<void> {
    const { spec, execId, attended } = process;
    if (spec === undefined || this.statusOf(process) !== TaskStatus.created) {
      throw wrongState("cannot start a process that has been started");
    }
    process.started = true;
    await this.#starting(process, async () => {
      try {
        const { root } = this.#options.global;
        const inside = openRunning(root, this.id, false);
        const plan = { consoleSocket: undefined, attended, detach: true, cgroups: [] };
        const shim = await startExec(root, inside, withEnvironment(spec, passwdOf(inside)), plan);
        shim.release();
        const ended = process.run(shim);
        this.#publish("TaskExecStarted", { exec_id: execId, pid: process.pid });
        void ended.then((exit) => this.#tellExit(process, exit));
      } catch (error) {
        process.streams.opened();
        // Nobody is told of an end where nobody was told of a start.
        process.end({ code: unstartedCode, at: formatTime(now()) }, () => {});
        throw error;
      }
    });
  }

  /** Sends a signal. @param all to all processes of the container @throws RunvError, CallRefused */
  async kill(process: TaskProcess, signal: number, all: boolean): Promise<void> {
    if (process.exit !== undefined) throw finished();
    if (process.isDead) {
      // What is left of a dead one is output that nobody takes: SIGKILL is for that, too.
      if (signal !== SIGKILL) throw finished();
      process.running.link.signal(signal);
    } else if (process.execId === "") {
      await killContainer({ global: this.#options.global, id: this.id, signal, all });
    } else {
      if (process.pid === 0) throw wrongState("the process is not started");
      const { link, shim } = process.running;
      await signalFurther(await this.machine(), link, shim, signal);
    }
  }

  /** Forgets a process that is not the first. @throws CallRefused */
  async deleteExec(process: TaskProcess): Promise<Message<"DeleteResponse">> {
    if (process.exit === undefined && process.started) throw wrongState("cannot delete a running process");
    this.#execs.delete(process.execId);
    // Who waits for it waits no longer.
    if (process.exit === undefined) process.end({ code: unstartedCode, at: formatTime(now()) }, () => {});
    await discard(process);
    return { pid: process.pid, ...process.exit };
  }

  /** Removes the container and all that is left of it. @throws RunvError, CallRefused */
  async delete(): Promise<Message<"DeleteResponse">> {
    const { init } = this;
    const { root } = this.#options.global;
    if (init.exit === undefined && init.started) throw wrongState("cannot delete a running container");
    await remove(root, this.id, true);
    // Of a checkpoint, and never started.
    if (init.pid === 0) init.end({ code: unstartedCode, at: formatTime(now()) }, () => {});
    const exit = await init.done;
    for (const process of this.processes) await discard(process);
    unmountAll(join(this.bundle, "rootfs"));
    this.#publish("TaskDelete", { pid: init.pid, ...exit });
    return { pid: init.pid, ...exit };
  }

  /** Waits for the end of its first process and of all that is left of the container then, and tells of it. */
  async #followInit(ended: Promise<ExitRecord>): Promise<void> {
    const exit = await ended;
    await Promise.all(this.processes.map(({ starting }) => starting));
    try {
      const machine = await this.machine().catch(() => undefined);
      await machine?.kill();
      const running = [...this.#execs.values()].filter(({ started }) => started);
      // The first process is the last to be told of.
      await atMost(patienceMs, Promise.all(running.map(({ done }) => done)));
      await machine?.end();
    } catch (error) {
      log.warn(`end what is left of ${this.id}: ${messageOf(error)}`);
    }
    // If the machine could not tell any more.
    this.#tellOom(exit.oomKills ?? 0);
    await this.#tellExit(this.init, exit);
  }

  async #tellExit(process: TaskProcess, exit: ExitRecord): Promise<void> {
    await process.starting;
    process.end(exit, (told) =>
      this.#publish("TaskExit", { id: process.execId || this.id, pid: process.pid, ...told }),
    );
  }

  #tellOom(kills: number): void {
    if (kills <= this.#oomKills) return;
    this.#oomKills = kills;
    this.#publish("TaskOOM", {});
  }

  /** Has `process.starting` say when an action is over, however it ends. */
  async #starting(process: TaskProcess, action: () => Promise<void>): Promise<void> {
    const acting = action();
    process.starting = acting.catch(() => {});
    await acting;
  }

  async #connect(): Promise<ContainerMachine> {
    const { root } = this.#options.global;
    return await ContainerMachine.of(root, readRecord(root, this.id), (kills) => this.#tellOom(kills));
  }

  #publish<N extends EventName>(name: N, event: Omit<Message<N>, "container_id">): void {
    this.#options.publisher.publish(name, { container_id: this.id, ...event } as Message<N>);
  }
}

/** What a process has ended with that could not be started, as runc's shim has it. */
const unstartedCode = 255;

async function newProcess(
  { namespace, newDirectory }: TaskOptions,
  id: string,
  execId: string,
  { stdin, stdout, stderr, terminal }: StreamNames,
  spec?: Process,
): Promise<TaskProcess> {
  const directory = newDirectory();
  const names = { stdin, stdout, stderr, terminal };
  try {
    const streams = await openStreams(names, { id: execId || id, namespace, directory });
    return new TaskProcess(execId, names, directory, streams, spec);
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

/** Leaves nothing of a process that has ended or was never started. */
async function discard({ streams, directory }: TaskProcess): Promise<void> {
  streams.opened();
  await streams.end();
  rmSync(directory, { recursive: true, force: true });
}

function exists(execId: string): CallRefused {
  return new CallRefused(Status.alreadyExists, `id ${execId}: already exists`);
}
