/** The containers of a daemon: how they are made, found again, and gone. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { anyway } from "../base/anyway";
import { messageOf } from "../base/error";
import { log } from "../base/log";
import type { GlobalOptions } from "../base/settings";
import { create } from "../container/create";
import { remove } from "../container/delete";
import { startExec } from "../container/exec-process";
import { passwdOf, withEnvironment } from "../container/making/environment";
import { openRunning } from "../container/record/open";
import { containerDirectory } from "../container/record/store";
import { goOn, restore } from "../container/restore";
import type { Attended } from "../container/shim/attended";
import { start } from "../container/start";
import { loadBundle } from "../oci/bundle";
import { assertContainerId } from "../oci/container-id";
import type { Request } from "./api/service";
import { checkpointPath } from "./checkpoints";
import { DaemonContainer } from "./container";
import type { EventLog } from "./event-log";
import { processOf, viewOfInit, viewOfRequest } from "./exec-request";
import { holdFifos } from "./hold-fifos";
import { DaemonProcess } from "./process";
import { type InitRecord, initName, type ProcessRecord, type ProcessStore } from "./process-store";
import { alreadyThere, containerNotFound, Refusal, refusalOf, Status } from "./refusal";

/** What containerd put before its runtime's words; Docker cuts it off. */
const prefix = "oci runtime error: ";

export interface SupervisorOptions {
  /** With the containers' store as its root. */
  global: GlobalOptions;
  store: ProcessStore;
  events: EventLog;
  /** What a request's arguments for the runtime change of the options. */
  withRuntimeArgs(args: readonly string[]): GlobalOptions;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #containers = new Map<string, DaemonContainer>();
  /** Ids of containers that are being made. */
  readonly #making = new Set<string>();
  /** Containers whose first process has ended, and of which something is left. */
  readonly #ending = new Map<string, Promise<void>>();
  /** Called when a container has ended. */
  onEnd: () => void = () => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get events(): EventLog {
    return this.#options.events;
  }

  /** The containers that run. */
  get containers(): DaemonContainer[] {
    return [...this.#containers.values()];
  }

  /** @throws Refusal */
  find(id: string): DaemonContainer {
    const container = this.#containers.get(id);
    if (container === undefined) throw containerNotFound();
    return container;
  }

  /** Waits until a container that has ended is gone, and its end told. */
  async settled(id: string): Promise<void> {
    await this.#ending.get(id);
  }

  /** Makes and starts a container. @throws Refusal */
  async create(request: Request<"CreateContainer">): Promise<DaemonContainer> {
    const { id, bundlePath, checkpoint, checkpointDir } = request;
    const { global, store, events } = this.#options;
    if (bundlePath === "") throw new Refusal("empty bundle path");
    checkId(id);
    const configFile = join(bundlePath, "config.json");
    if (!existsSync(configFile)) {
      throw new Refusal(`open ${configFile}: no such file or directory`, Status.notFound);
    }
    await this.settled(id);
    const directory = containerDirectory(global.root, id);
    if (this.#making.has(id) || this.#containers.has(id) || existsSync(directory)) throw alreadyThere(directory);
    this.#making.add(id);
    let release = () => {};
    try {
      const bundle = loadBundle(bundlePath);
      const { labels, runtime } = request;
      const { terminal } = bundle.config.process;
      const record: InitRecord = {
        key: store.newKey(),
        id,
        pid: initName,
        view: { ...viewOfInit(bundle.config.process, initName), ...pathsOf(request) },
        stdio: stdioOf(request, terminal),
        container: { bundle: bundlePath, labels, runtime: runtime || "runv" },
      };
      release = holdFifos(record.stdio);
      const container = new DaemonContainer(global.root, events, record);
      const image = checkpoint === "" ? undefined : checkpointPath(bundlePath, checkpointDir, checkpoint);
      const process = await this.#start(container, record, this.#options.withRuntimeArgs(request.runtimeArgs), image);
      events.append({ type: "start-container", id, key: record.key });
      container.attend(process);
      void this.attend(container);
      return container;
    } catch (error) {
      throw refusalOf(error, prefix);
    } finally {
      release();
      this.#making.delete(id);
    }
  }

  /** Starts one more process in a container. @throws Refusal */
  async exec(request: Request<"AddProcess">): Promise<void> {
    const { id, pid } = request;
    const { global, store } = this.#options;
    if (id === "") throw new Refusal("container id cannot be empty");
    if (pid === "") throw new Refusal("process id cannot be empty");
    const container = this.find(id);
    if (container.processes.has(pid) || container.starting.has(pid)) {
      throw alreadyThere(`${containerDirectory(global.root, id)}/${pid}`);
    }
    const record = {
      key: store.newKey(),
      id,
      pid,
      view: viewOfRequest(request),
      stdio: stdioOf(request, request.terminal),
    };
    const release = holdFifos(record.stdio);
    const starting = this.#startExec(container, record, request);
    container.starting.set(pid, starting);
    try {
      await starting;
    } catch (error) {
      throw refusalOf(error, `${prefix}exec failed: `);
    } finally {
      release();
      container.starting.delete(pid);
    }
  }

  /** Looks after a container whose first process runs, or has run, until there is nothing left of it. */
  async attend(container: DaemonContainer): Promise<void> {
    const { id } = container;
    this.#containers.set(id, container);
    // So that the end of memory is seen from now on.
    container.machine().catch((error: unknown) => log.debug(messageOf(error)));
    const ended = Promise.withResolvers<void>();
    await container.end(() => {
      this.#containers.delete(id);
      this.#ending.set(id, ended.promise);
    });
    this.#ending.delete(id);
    ended.resolve();
    this.onEnd();
  }

  /**
   * Brings a new container to where its command runs. Nothing is left of it when that fails.
   * @param image the checkpoint of which it is made
   */
  async #start(
    container: DaemonContainer,
    record: InitRecord,
    global: GlobalOptions,
    image: string | undefined,
  ): Promise<DaemonProcess> {
    const { store } = this.#options;
    const { id } = record;
    store.write(record);
    try {
      const attended: Attended = { directory: store.directory(record), ...record.stdio };
      const none = { consoleSocket: undefined, pidfdSocket: undefined, pidFile: undefined, preserveFds: 0 };
      const options = { global, id, bundle: record.container.bundle, attended, ...none };
      const { shim } =
        image === undefined
          ? await create(options, { detach: true, complete: true })
          : await restore({ ...options, image, detach: true, keep: false });
      try {
        const started = { ...record, shim: shim.identity };
        store.write(started);
        shim.release();
        // Before it starts, so that the first process that the end of memory costs is seen.
        await container.machine();
        await (image === undefined ? start(global.root, id, { follow: false }) : goOn(global.root, id));
        return new DaemonProcess(store, started);
      } catch (error) {
        await anyway(() => remove(global.root, id, true));
        throw error;
      }
    } catch (error) {
      await anyway(() => store.remove(record));
      throw error;
    }
  }

  async #startExec(container: DaemonContainer, record: ProcessRecord, request: Request<"AddProcess">): Promise<void> {
    const { global, store, events } = this.#options;
    const { id, pid, key } = record;
    store.write(record);
    try {
      const inside = openRunning(global.root, id, false);
      const process = withEnvironment(processOf(request, inside.process), passwdOf(inside));
      const attended: Attended = { directory: store.directory(record), ...record.stdio };
      const plan = { consoleSocket: undefined, attended, detach: true, cgroups: [] };
      const shim = await startExec(global.root, inside, process, plan);
      const started = { ...record, shim: shim.identity };
      try {
        store.write(started);
      } catch (error) {
        await shim.kill();
        throw error;
      }
      shim.release();
      events.append({ type: "start-process", id, pid, key });
      container.attend(new DaemonProcess(store, started));
    } catch (error) {
      await anyway(() => store.remove(record));
      throw error;
    }
  }
}

/** Refuses an id that cannot be the name of a container's directory. */
function checkId(id: string): void {
  try {
    assertContainerId(id);
  } catch (error) {
    throw refusalOf(error);
  }
  // Names with a leading dot are runv's own.
  if (id.length > 255 || id.startsWith(".")) throw new Refusal("invalid container ID format");
}

/** The files of a request that are opened. A terminal has one output: Docker 1.12 names a second that it does not make. */
function stdioOf(request: StreamPaths, terminal: boolean): StreamPaths {
  return { ...pathsOf(request), ...(terminal && { stderr: "" }) };
}

type StreamPaths = Omit<Attended, "directory">;

function pathsOf({ stdin, stdout, stderr }: StreamPaths): StreamPaths {
  return { stdin, stdout, stderr };
}
