/**
 * The monitor: one process per virtual machine. It owns the hypervisor's process and the agent's channel, passes frames between
 * the guest and the commands and shims that connect to its control socket, and ends the machine when nobody holds it any more.
 * What few monitors need is loaded by those, for there are as many monitors as machines.
 */

import { messageOf, packError, RunvError } from "../base/error";
import { log, openLog } from "../base/log";
import { surviveStrayErrors } from "../base/stray-errors";
import { span, traceAs, traceOn } from "../base/trace";
import { trimWhenSettled } from "../base/trim";
import type { GuestDisk } from "../guest/disks";
import { endContainer } from "../guest/end";
import { freeze } from "../guest/freeze";
import { chooseDriver } from "../hypervisor";
import type { Driver, Machine, MachineExit, MachineSize } from "../hypervisor/driver";
import { CLONE_NEWNET } from "../linux/constants";
import { syscall } from "../linux/local";
import { withDescendants } from "../linux/processes";
import { architecture } from "../linux/syscalls";
import { withDescriptor } from "../linux/take-descriptor";
import { Networks } from "../network/networks";
import { Share } from "../share/share";
import { restrictTree } from "../share/tree";
import { encodeU32, type Frame, FrameType, maxToGuest } from "../wire/frame";
import { connectFrames, listenFrames } from "../wire/frame-socket";
import { decodeJson, type FrameHandlers, type FrameStream } from "../wire/frame-stream";
import { boot } from "./boot";
import type { Branching } from "./branching";
import { monitorNumber, type Sandbox, type SandboxHandlers } from "./connect";
import { Disks } from "./disks";
import { giveBackMemory } from "./give-back";
import { grow } from "./grow";
import { keepTime } from "./keep-time";
import { manifestFor } from "./manifest-for";
import type { Memories } from "./memory";
import {
  type BranchRequest,
  type ClaimRequest,
  ControlType,
  type DiskRequest,
  type Envelope,
  type Joined,
  type JoinRequest,
  type LaunchRequest,
  type MachineInfo,
  type MemoryRequest,
  type PooledPids,
  type PoolRequest,
  type Reply,
  type Request,
  type RestoreRequest,
  type Saved,
  type SaveRequest,
  type ShareRequest,
} from "./messages";
import { controlSocket, removeSandbox } from "./paths";
import { mostFor } from "./shape";
import { shareModules } from "./share-modules";
import type { MonitorTask } from "./start-monitor";
import { type Client, FrameSwitch } from "./switch";
import { writeBack } from "./write-back";

interface MonitorClient extends Client {
  holds: boolean;
}

/**
 * Runs a monitor until its machine has ended, or until there is nobody any more who would tell it what it is to be for.
 * @param creator the descriptor of a socket to the command that has started it, the first client
 */
export async function runMonitor(creator: number): Promise<void> {
  traceAs("monitor");
  surviveStrayErrors();
  const begun = Promise.withResolvers<Monitor | undefined>();
  await connectFrames({ fd: creator }, maxToGuest, (stream) => {
    let handlers: FrameHandlers = {
      frame({ payload }) {
        try {
          const monitor = begin(decodeJson(payload) as MonitorTask);
          handlers = monitor.accept(stream, true);
          begun.resolve(monitor);
        } catch (error) {
          stream.sendJson(ControlType.failed, packError(error, "SANDBOX_GONE"));
          begun.reject(error);
        }
      },
      close: () => begun.resolve(undefined),
    };
    return { frame: (frame) => handlers.frame(frame), close: (error) => handlers.close(error) };
  });
  await (await begun.promise)?.ended;
}

/** @throws RunvError LOG_UNWRITABLE; SystemError */
function begin({ directory, log, moves, namespace }: MonitorTask): Monitor {
  openLog(log);
  if (namespace !== undefined) withDescriptor(namespace, (fd) => syscall("setns", fd, CLONE_NEWNET));
  return new Monitor(directory, new Share(`${directory}/share`), moves);
}

class Monitor {
  /** Fulfilled when nothing is left of the machine. */
  readonly ended: Promise<void>;
  #directory: string;
  readonly #share: Share;
  readonly #clients = new Map<number, MonitorClient>();
  readonly #switch = new FrameSwitch((...frame) => this.#sandbox?.send(...frame));
  readonly #ended = Promise.withResolvers<void>();
  /** Fulfilled when this process is in the cgroups in which the machine is to be. */
  readonly #settled = Promise.withResolvers<void>();
  #networks: Networks | undefined;
  #disks: Disks | undefined;
  #memories: Promise<Memories> | undefined;
  #initrd = "";
  #last = monitorNumber;
  #machine: Machine | undefined;
  /** What makes it, and of what. */
  #made: { driver: Driver; release: string; made: Saved["made"] } | undefined;
  #sandbox: Sandbox | undefined;
  #ending = false;
  /** It was restored, and its container has not run: its disks are to stay what the image knows. */
  #asSaved = false;
  #growing: Promise<unknown> = Promise.resolve();
  /** Fulfilled when the guest has written back what it held, as far as it held anything when that was asked. */
  #written: Promise<boolean> | undefined;
  /** In the pool: who keeps the machine there. */
  #keeper: MonitorClient | undefined;
  /** The machine stands still, as it does in the pool. */
  #parked = false;
  /** For who wants others to be forked from the machine. */
  #branching: Promise<Branching> | undefined;

  /** @param moves it is being moved into its cgroups */
  constructor(directory: string, share: Share, moves = false) {
    if (!moves) this.#settled.resolve();
    this.#directory = directory;
    this.#share = share;
    const stopListening = listenFrames(controlSocket(directory), maxToGuest, (stream) => this.accept(stream));
    this.ended = this.#ended.promise.then(() => {
      stopListening();
      this.#share.close();
      removeSandbox(this.#directory);
    });
  }

  /** Takes a client. @param holds whether the machine lives as long as this connection does */
  accept(stream: FrameStream, holds = false): FrameHandlers {
    do this.#last = (this.#last % 0xffff) + 1;
    while (this.#clients.has(this.#last) || this.#switch.inUse(this.#last));
    const client: MonitorClient = { number: this.#last, stream, holds };
    this.#clients.set(client.number, client);
    stream.send(ControlType.welcome, 0, encodeU32((client.number << 16) >>> 0));
    return {
      frame: (frame) => this.#take(client, frame),
      close: () => this.#leave(client),
    };
  }

  #fromGuest(frame: Frame): void {
    const owner = this.#switch.fromGuest(frame);
    // Disks cannot be written to any more then.
    if (owner !== undefined && this.#disks === undefined && this.#isHeldByNoneBut(owner))
      this.#written ??= this.#writeBack();
  }

  /**
   * Whether the machine ends when this client goes. All is said of its process then, and it goes next: what is left to do is begun while it does so, and done anew
   * should anything else come.
   */
  #isHeldByNoneBut(owner: Client): boolean {
    for (const client of this.#clients.values()) if (client.holds !== (client === owner)) return false;
    return true;
  }

  #take(client: MonitorClient, frame: Frame): void {
    if (frame.type === FrameType.run) this.#written = undefined;
    if (frame.type !== ControlType.request) {
      this.#switch.fromClient(client, frame);
      return;
    }
    const envelope = decodeJson(frame.payload) as Envelope | undefined;
    if (typeof envelope?.id !== "number") throw new RunvError("WIRE_BAD_FRAME", "a request without an id");
    const { id, request } = envelope;
    this.#handle(client, request).then(
      (result) => client.stream.sendJson(ControlType.reply, { id, result: result ?? null } satisfies Reply),
      (error) =>
        client.stream.sendJson(ControlType.reply, { id, error: packError(error, "MONITOR_FAILED") } satisfies Reply),
    );
  }

  async #handle(client: MonitorClient, request: Request): Promise<unknown> {
    if (request.op !== "hold" && request.op !== "let-go" && request.op !== "info") this.#written = undefined;
    switch (request.op) {
      case "launch":
        return await this.#start(request);
      case "branch":
        return await this.#branch(request);
      case "still":
        return await (await this.#branchingOf()).begin(client, request);
      case "go-on":
        return await (await this.#branchingOf()).goOn();
      case "save":
        return await this.#save(client, request);
      case "discard":
        return await this.#discard(client);
      case "restore":
        return await this.#restore(request);
      case "thaw":
        return await this.#thaw(request.container);
      case "fork":
        return await (await this.#branchingOf()).fork(client, request);
      case "forked":
        return await (await this.#branchingOf()).forked(client);
      case "pool":
        return await this.#park(client, request);
      case "claim":
        return this.#claim(client, request);
      case "settled":
        return this.#settled.resolve();
      case "hold":
        client.holds = true;
        return undefined;
      case "join":
        return await this.#join(client, request);
      case "let-go":
        client.holds = false;
        if (!this.#held()) void this.#end();
        return undefined;
      case "share":
        return this.#attach(request);
      case "seal":
        return await this.#seal(request.path);
      case "disk":
        return await this.#addDisk(request);
      case "memory":
        return await this.#addMemory(request);
      case "forget":
        return await this.#forget(request.id);
      case "go":
        return await this.#switch.go(request.handle);
      case "take-over":
        return this.#switch.takeOver(client, request.handle);
      case "network":
        return await span("network: sync", () => this.#allNetworks().sync(request.container, request.complete));
      case "interface":
        return await this.#allNetworks().change(request.container, request.change);
      case "grow":
        return await this.#grow(request);
      case "outOfMemory":
        return await span("out of memory", () => this.#outOfMemory(request.cgroup));
      case "info":
        return this.#info();
    }
  }

  async #start(request: LaunchRequest): Promise<MachineInfo> {
    const info = this.#parked ? await this.#unpark() : await this.#launch(request);
    keepTime(this.#sandbox!.guest);
    giveBackMemory(this.#sandbox!, this.#initrd);
    return info;
  }

  async #launch(request: LaunchRequest | PoolRequest): Promise<MachineInfo> {
    const { driver, networks, handlers } = await this.#prepare(request);
    this.#adopt(await boot(request, driver, networks.firstNic(), this.#directory, handlers), networks);
    return this.#info();
  }

  /** Goes on with a copy of another machine. */
  async #branch(request: BranchRequest): Promise<MachineInfo> {
    const { driver, networks, handlers } = await this.#prepare(request);
    const { branch } = await import("./branch");
    const { sandbox, processes } = await branch(request, driver, networks.firstNic(), this.#directory, handlers);
    this.#adopt(sandbox, networks);
    this.#switch.adopt(processes, request.init);
    keepTime(sandbox.guest);
    giveBackMemory(sandbox, this.#initrd);
    return this.#info();
  }

  /** Goes on where another machine was saved. */
  async #restore(request: RestoreRequest): Promise<MachineInfo> {
    this.#asSaved = true;
    const { driver, networks, handlers } = await this.#prepare(request);
    const { restore } = await import("./whole");
    const sandbox = await restore(request, driver, networks.firstNic(), this.#directory, handlers);
    const { disks, processes } = request.saved;
    if (disks.ids.length > 0) {
      this.#disks = new Disks(sandbox.machine, sandbox.guest, this.#initrd);
      this.#disks.adopt(request.container, disks);
    }
    this.#adopt(sandbox, networks);
    this.#switch.adopt(processes, request.init);
    keepTime(sandbox.guest);
    giveBackMemory(sandbox, this.#initrd);
    return this.#info();
  }

  async #thaw(container: string): Promise<void> {
    if (this.#sandbox === undefined) throw starting();
    this.#asSaved = false;
    await this.#sandbox.guest.call(freeze(container, false));
  }

  async #save(client: MonitorClient, request: SaveRequest): Promise<Saved> {
    if (this.#sandbox === undefined || this.#made === undefined) throw starting();
    const { driver, release, made } = this.#made;
    const { standingFor } = await import("./whole");
    const how = standingFor(this.#sandbox.machine, driver, release, request);
    const disks = this.#disks?.of(request.container) ?? { ids: [] };
    return { ...(await (await this.#branchingOf()).save(client, request, how)), made, disks };
  }

  /** Ends the machine as it stands: it was saved, and nothing of it is to happen after that. */
  async #discard(client: MonitorClient): Promise<void> {
    if ((await this.#branching)?.standsFor(client) !== true) {
      throw new RunvError("CONTAINER_BUSY", "the machine does not stand still");
    }
    this.#ending = true;
    await this.#machine?.kill();
    this.#networks?.close();
    this.#ended.resolve();
  }

  /** What a machine needs before it is there. */
  async #prepare(request: Omit<LaunchRequest, "op">) {
    this.#initrd = request.initrd;
    const driver = await chooseDriver(request.driver, request.driverOptions);
    const networks = new Networks(request.network, driver.nics);
    this.#networks = networks;
    const { driver: name, driverOptions, kernel, initrd } = request;
    const { kernelRelease: release } = manifestFor(driver.architecture ?? architecture, initrd);
    this.#made = { driver, release, made: { driver: name, driverOptions, kernel, initrd } };
    shareModules(this.#share, initrd, release);
    const handlers: SandboxHandlers = {
      started: (machine) => {
        this.#machine = machine;
      },
      frame: (frame) => this.#fromGuest(frame),
      close: (error) => void this.#end(`its agent's channel has closed${error ? `: ${error.message}` : ""}`),
      settled: this.#settled.promise,
    };
    return { driver, networks, handlers };
  }

  #adopt(sandbox: Sandbox, networks: Networks): void {
    this.#sandbox = sandbox;
    trimWhenSettled();
    networks.attach(sandbox.machine, sandbox.guest, sandbox.hiddenNic);
    void sandbox.machine.exited.then(() => this.#end("it ended by itself"));
  }

  #branchingOf(): Promise<Branching> {
    if (this.#sandbox === undefined) throw starting();
    const sandbox = this.#sandbox;
    this.#branching ??= import("./branching").then(
      ({ Branching }) => new Branching(sandbox, this.#switch, `${this.#directory}/share`),
    );
    return this.#branching;
  }

  async #park(client: MonitorClient, request: PoolRequest): Promise<PooledPids> {
    await this.#launch(request);
    const { park } = await import("./pool/pool-unit");
    await park(this.#sandbox!, this.#share);
    this.#parked = true;
    this.#keeper = client;
    return this.#pids();
  }

  #pids(): PooledPids {
    return { monitor: process.pid, machine: this.#machine?.pid };
  }

  #claim(client: MonitorClient, { directory, namespace, log, trace }: ClaimRequest): PooledPids {
    const keeper = this.#keeper;
    if (keeper === undefined || this.#ending) throw new RunvError("POOL_TAKEN", "the machine is not in the pool");
    this.#keeper = undefined;
    client.holds = true;
    this.#directory = directory;
    openLog(log);
    if (trace !== undefined) traceOn(trace);
    try {
      if (namespace !== undefined) withDescriptor(namespace, (fd) => this.#networks?.moveTo(fd));
    } catch (error) {
      // It may be half in one and half in the other.
      void this.#end();
      throw error;
    }
    keeper.stream.close();
    return this.#pids();
  }

  async #join(client: MonitorClient, { container, namespace }: JoinRequest): Promise<Joined> {
    client.holds = true;
    const networks = this.#allNetworks();
    const join = (fd?: number) => networks.join(container, fd);
    const network = await (namespace === undefined ? join() : withDescriptor(namespace, join));
    return { machine: this.#info(), network };
  }

  #allNetworks(): Networks {
    if (this.#networks === undefined) throw starting();
    return this.#networks;
  }

  async #unpark(): Promise<MachineInfo> {
    this.#parked = false;
    const { unpark } = await import("./pool/pool-unit");
    await span("wake", () => unpark(this.#sandbox!));
    return this.#info();
  }

  async #forget(id: string): Promise<void> {
    if (this.#sandbox === undefined) throw starting();
    await endContainer(this.#sandbox.guest, id);
    // A device that QEMU or the guest does not let go of keeps no container from being deleted.
    const warn = (what: string) => (error: unknown) => log.warn(`take the ${what} of ${id} away: ${messageOf(error)}`);
    await this.#networks?.leave(id).catch(warn("network"));
    await this.#disks?.remove(id).catch(warn("disks"));
    await (await this.#memories)?.remove(id).catch(warn("shared memory"));
    this.#share.detach(id);
  }

  #attach({ pid, fd, path, directory, attributes }: ShareRequest): void {
    withDescriptor({ pid, fd }, (tree) => {
      restrictTree(tree, attributes);
      this.#share.attach(tree, path, directory);
    });
  }

  async #seal(path: string): Promise<void> {
    this.#share.seal(path);
    const { sealElsewhere } = await import("../share/seal");
    await sealElsewhere(withDescendants(process.pid, this.#machine?.pid), this.#share.device, path);
  }

  async #addDisk(request: DiskRequest): Promise<GuestDisk> {
    if (this.#sandbox === undefined) throw starting();
    const { machine, guest } = this.#sandbox;
    this.#disks ??= new Disks(machine, guest, this.#initrd);
    return await this.#disks.add(request);
  }

  async #addMemory(request: MemoryRequest): Promise<void> {
    if (this.#sandbox === undefined) throw starting();
    const { guest } = this.#sandbox;
    this.#memories ??= import("./memory").then(({ Memories }) => new Memories(guest));
    await (await this.#memories).add(request);
  }

  async #outOfMemory(cgroup: readonly string[]): Promise<void> {
    try {
      const { repeatOomOnHost } = await import("./host-oom");
      repeatOomOnHost(cgroup);
    } catch (error) {
      // A shim has no log, and its standard error is the container's.
      log.warn(messageOf(error));
      throw error;
    }
  }

  #info(): MachineInfo {
    if (this.#sandbox === undefined) throw starting();
    const { machine, hello, lacksProcess = false } = this.#sandbox;
    const { pid, driver, accelerator, size, ownMemoryMiB = 0 } = machine;
    return { pid, driver, accelerator, release: hello.release, size, most: mostFor(size), ownMemoryMiB, lacksProcess };
  }

  async #grow(need: MachineSize): Promise<MachineSize> {
    if (this.#sandbox === undefined) throw starting();
    const { machine, guest } = this.#sandbox;
    // One after the other: each looks at what the machine has.
    const grown = this.#growing.catch(() => {}).then(() => grow(machine, guest, need));
    this.#growing = grown;
    return await grown;
  }

  #leave(client: MonitorClient): void {
    this.#clients.delete(client.number);
    void this.#branching?.then((branching) => branching.leave(client));
    this.#switch.abandon(client);
    if (!this.#held()) void this.#end();
  }

  #held(): boolean {
    for (const client of this.#clients.values()) if (client.holds) return true;
    return false;
  }

  /**
   * Ends the machine, once. Clients see their connections close when nothing is left of it.
   * @param lost why, unless nobody holds it any more
   */
  async #end(lost?: string): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    try {
      if (this.#sandbox !== undefined && !this.#parked && !this.#asSaved) {
        const written = await (this.#written ?? this.#writeBack());
        if (!written) log.warn("the virtual machine ended before it had written back what it held of its files");
      }
      const exit = await span("hypervisor: end", () => this.#machine?.kill());
      if (lost !== undefined && exit !== undefined) {
        log.warn(`the virtual machine is lost: ${lost}; the hypervisor's end: ${wordsOf(exit)}`);
      }
      this.#networks?.close();
    } finally {
      this.#ended.resolve();
    }
  }

  /** @returns whether all was written */
  #writeBack(): Promise<boolean> {
    const { machine, guest } = this.#sandbox!;
    return span("guest: write back", () => writeBack(guest, machine.exited, this.#disks?.writeBack()));
  }
}

function wordsOf({ code, signal, stderr }: MachineExit): string {
  const how = signal ?? (code === null ? "not known" : `exit code ${code}`);
  return stderr === "" ? how : `${how}: ${stderr}`;
}

function starting(): RunvError {
  return new RunvError("SANDBOX_STARTING", "the virtual machine has not started yet");
}
