import { closeSync, linkSync, rmSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { anyway } from "../../base/anyway";
import { RunvError } from "../../base/error";
import type { LogOptions } from "../../base/log";
import type { Settings } from "../../base/settings";
import { span } from "../../base/trace";
import { endOrphan } from "../../hypervisor/orphans";
import { type Identity, identityOf } from "../../linux/identity";
import { waitForEnd, withDescendants } from "../../linux/processes";
import type { Bundle } from "../../oci/bundle";
import { findNamespace } from "../../oci/namespaces";
import type { State } from "../../oci/state";
import type { Program } from "../../program/program";
import type { Background } from "../../sandbox/background";
import { SandboxClient } from "../../sandbox/client";
import type { EarlyMonitor } from "../../sandbox/early-monitor";
import type { MachineInfo } from "../../sandbox/messages";
import {
  controlSocket,
  makeSandbox,
  makeSandboxes,
  monitorLog,
  newSandbox,
  removeSandbox,
  sandboxDirectory,
} from "../../sandbox/paths";
import { type Shape, shapeFor } from "../../sandbox/shape";
import { whileItAnswers } from "../../sandbox/silence";
import { beginMonitor, startMonitor } from "../../sandbox/start-monitor";
import { startProcess } from "../../sandbox/template/template-process";
import type { SocketSource } from "../../wire/frame-socket";
import {
  type HostCgroupRequest,
  joinHostCgroup,
  limitHostCgroup,
  makeHostCgroup,
  planHostCgroup,
  removeHostCgroup,
} from "../cgroup/host-cgroup";
import { scoreMachine } from "../cgroup/oom-score";
import type { CreateOptions } from "../options";
import { firstRecord } from "../record/first-record";
import { stateOf } from "../record/status";
import { whileItRuns } from "../record/stopped";
import { type ContainerRecord, containerDirectory, removeContainerDirectory, writeRecord } from "../record/store";
import { announce } from "../shim/announce";
import { openStdio } from "../shim/console";
import type { ShimContainer } from "../shim/shim-messages";
import { ShimHandle } from "../shim/spawn-shim";
import { type ClaimedMachine, claimMachine } from "./claim";
import { runHooks } from "./hooks";
import { NetworkNamespace } from "./network-namespace";
import type { BranchParts, ContainerParts, Created, MakingPlan } from "./parts";
import { machineResources } from "./pod";

interface Launched {
  client: SandboxClient;
  /** Fulfilled when the machine is there. */
  ready: Promise<MachineInfo> | undefined;
  /** As `ContainerParts.lower` takes it. */
  network: number | undefined;
}

/** How long a machine may take to end. */
const endTimeoutMs = 10_000;

/** A container in the making: what there is of it already, to be finished or undone. */
export class Making {
  readonly #options: CreateOptions;
  readonly #bundle: Bundle;
  readonly #vm: Settings;
  #shape: Shape;
  readonly #sandbox: string;
  readonly #directory: string;
  #cgroup: string[] = [];
  /** A container in whose machine this one is to be; undefined when it gets its own. */
  readonly #member: ContainerRecord | undefined;
  readonly #early: EarlyMonitor | undefined;
  #monitor: Background | undefined;
  #network: NetworkNamespace | undefined;
  #client: SandboxClient | undefined;
  /** Fulfilled when the monitor has been asked for the machine, or has let the container into it. */
  #launched: Promise<unknown> | undefined;
  #branch: BranchParts | undefined;
  /** What the pool had for it. */
  #claimed: ClaimedMachine | undefined;
  #shim: ShimHandle | undefined;
  /** Fulfilled when its processes on the host are in its cgroup. */
  #joined: Promise<unknown> = Promise.resolve();
  /** Why the machine that is to be joined is not waited for any more. */
  #silent: RunvError | undefined;

  /** @param early a monitor that was started for it */
  constructor(
    options: CreateOptions,
    vm: Settings,
    bundle: Bundle,
    member: ContainerRecord | undefined,
    early?: EarlyMonitor,
  ) {
    this.#early = early;
    this.#options = options;
    this.#bundle = bundle;
    this.#vm = vm;
    const { defaultCpus, defaultMemory } = vm;
    this.#shape = shapeFor(machineResources(bundle.config), { cpus: defaultCpus, memoryMiB: defaultMemory });
    this.#member = member;
    this.#sandbox = member?.sandbox ?? newSandbox();
    this.#directory = sandboxDirectory(options.global.root, this.#sandbox);
  }

  /**
   * Makes the container.
   * @throws RunvError GUEST_SILENT when the machine that it is to join does not answer, and many others; what there is of it is to be undone then
   */
  async make(parts: ContainerParts, how: MakingPlan): Promise<Created> {
    const member = this.#member;
    if (member === undefined) return await this.#make(parts, how);
    const giveUp = (error: RunvError) => this.#giveUp(error);
    const client = () => this.#client;
    const machine = {
      get guest() {
        return client()?.knownGuest;
      },
      giveUp,
    };
    try {
      return await whileItRuns(member, () => whileItAnswers(machine, () => this.#make(parts, how)), giveUp);
    } catch (error) {
      throw this.#silent ?? error;
    }
  }

  /** Has all that waits for the machine fail. Should it go on some time, it is to keep nothing of the container. */
  #giveUp(error: RunvError): boolean {
    if (this.#silent !== undefined) return true;
    this.#silent = error;
    this.#client?.forget(this.#options.id).catch(() => {});
    this.#client?.giveUp(error);
    void this.#shim?.kill();
    return true;
  }

  async #make(
    { lower, share, shareMemory, seal, addDisks, branch, view }: ContainerParts,
    { detach, complete }: MakingPlan,
  ): Promise<Created> {
    const { global, attended } = this.#options;
    const { root } = global;
    const { process, hooks } = this.#bundle.config;
    // Everything is recorded before it is made, so that it can be removed whenever this command is killed.
    const cgroup = this.#cgroupRequest();
    this.#cgroup = planHostCgroup(cgroup);
    this.#branch = branch;
    if (branch?.size !== undefined) this.#shape = branch.size;
    let record = this.#record();
    writeRecord(root, record);
    makeHostCgroup(cgroup);
    const network = await this.#findNetwork();
    if (this.#member === undefined && this.#claimed === undefined) makeSandbox(this.#directory);
    this.#keepConsole();
    const monitor = this.#member?.monitor ?? this.#claimed?.monitor ?? this.#startMonitor(network);
    record = { ...record, monitor };
    writeRecord(root, record);
    const launched = this.#launch(network);
    launched.catch(() => {});
    this.#launched = launched;
    const { client, ready, network: guestNetwork } = await launched;
    // While its own machine starts.
    const lowered = await span("write the container's program", () => lower(guestNetwork));
    const shim = await this.#startShim(network);
    record = { ...record, shim: shim.identity, settings: lowered.settings };
    writeRecord(root, record);
    this.#joinCgroup([shim.identity.pid]);
    await span("share", () => share(client));
    await this.#joined;
    const hookState: State = { ...stateOf(root, record), status: "creating", pid: shim.identity.pid };
    await span("hooks", async () => {
      await runHooks("prestart", hooks.prestart, hookState);
      await runHooks("createRuntime", hooks.createRuntime, hookState);
    });
    const machine = await span(
      "wait for the machine",
      () => ready ?? branch!.fork(client, this.#machine(network.kind)),
    );
    await span("network", () => client.network(this.#options.id, complete));
    await span("shared memory", () => shareMemory(client));
    const { programs, passwd } = await span("disks", () => addDisks(client, lowered));
    const { main, outer } = programs;
    const begin = {
      id: this.#options.id,
      sandbox: this.#directory,
      terminal: process.terminal,
      container: this.#forShim(),
      foreground: !detach,
      attended,
      view: view(),
    };
    const { handle } = await span("wait for the container", () =>
      branch === undefined ? shim.begin(begin, main, outer) : shim.takeOver(begin, branch.init),
    );
    await span("seal", () => seal(client));
    limitHostCgroup({ ...cgroup, memoryMiB: cgroup.memoryMiB + machine.ownMemoryMiB });
    if (machine.pid !== undefined) scoreMachine(machine.pid, process.oomScoreAdj, this.#member !== undefined);
    const templateProcess = machine.lacksProcess ? this.#machine("new") : undefined;
    if (complete && templateProcess !== undefined) startProcess(templateProcess);
    record = {
      ...record,
      ...(!complete && { templateProcess }),
      phase: branch === undefined ? "created" : "running",
      // A branch's processes are frozen until its command has them go on: should that end before, 'runv resume' does.
      paused: branch !== undefined,
      machine: machine.pid === undefined ? undefined : identityOf(machine.pid),
      init: handle,
      passwd,
      afterStop: branch === undefined ? notesAfterStop(main) : undefined,
    };
    writeRecord(root, record);
    announce(shim.identity.pid, this.#options);
    client.close();
    network.close();
    return { record, shim };
  }

  /** Connects to the monitor, and asks it for the machine, or to let the container into the one that it has. */
  async #launch({ kind, fd }: NetworkNamespace): Promise<Launched> {
    const client = this.#claimed?.client ?? (await SandboxClient.open(this.#channel()));
    this.#client = client;
    if (this.#silent !== undefined) throw this.#silent;
    // What a monitor of its own starts is to be in the cgroup too. All else it does meanwhile.
    if (this.#monitor !== undefined) this.#joined.then(() => client.settled()).catch(() => {});
    if (this.#member !== undefined) {
      const { machine, network } = await client.join(this.#options.id, fd);
      return { client, ready: Promise.resolve(machine), network };
    }
    if (this.#branch !== undefined) return { client, ready: undefined, network: undefined };
    const ready = client.launch(this.#machine(kind));
    ready.catch(() => {});
    return { client, ready, network: undefined };
  }

  /** Leaves nothing of it: what cannot be undone is logged, and keeps nothing else from being so. */
  async undo(): Promise<void> {
    const own = this.#member === undefined;
    await anyway(() => this.#network?.close());
    await anyway(() => this.#shim?.kill());
    await this.#launched?.catch(() => {});
    if (!own) await this.#client?.forget(this.#options.id).catch(() => {});
    if (this.#client !== undefined) this.#client.close();
    else if (this.#monitor !== undefined && this.#launched === undefined) closeSync(this.#monitor.socket);
    await this.#monitor?.process.exited;
    if (this.#claimed !== undefined) waitForEnd(this.#claimed.monitor, endTimeoutMs);
    if (own) await anyway(() => endOrphan(this.#directory));
    await anyway(() => removeHostCgroup(this.#cgroup));
    if (own) await anyway(() => removeSandbox(this.#directory));
    await anyway(() => removeContainerDirectory(this.#options.global.root, this.#options.id));
  }

  /** Opens the network namespace, or makes one; a machine of the pool brings its own. */
  async #findNetwork(): Promise<NetworkNamespace> {
    const { namespaces } = this.#bundle.config.linux;
    const wanted = findNamespace(namespaces, "network");
    const { pool, templates } = this.#vm;
    const isPooled =
      this.#branch === undefined && this.#member === undefined && wanted !== undefined && templates !== undefined;
    // A new one need not be made where a machine brings one.
    const named = isPooled && wanted.path === undefined ? undefined : NetworkNamespace.open(namespaces);
    this.#network = named;
    if (isPooled && named?.kind !== "host") {
      makeSandboxes(this.#options.global.root);
      this.#claimed = await claimMachine(pool.directory, this.#machine("new"), this.#directory, named?.fd, () =>
        this.#monitorLog(false),
      );
    }
    if (this.#claimed !== undefined) {
      const { monitor, machine, client } = this.#claimed;
      this.#client = client;
      // The machine may be some daemon's child; who serves its files is the monitor's.
      this.#joinCgroup(withDescendants(monitor.pid, machine?.pid));
      this.#network ??= NetworkNamespace.ofMonitor(monitor.pid);
    }
    this.#network ??= NetworkNamespace.open(namespaces);
    return this.#network;
  }

  #startMonitor({ fd }: NetworkNamespace): Identity {
    const monitor = this.#early?.take() ?? startMonitor();
    this.#monitor = monitor;
    const { pid } = monitor.process;
    const identity = identified(pid);
    const namespace = fd === undefined ? undefined : { pid: process.pid, fd };
    beginMonitor(monitor, { directory: this.#directory, log: this.#monitorLog(true), moves: true, namespace });
    this.#joinCgroup([pid]);
    return identity;
  }

  #joinCgroup(pids: Iterable<number>): void {
    const joining = [...pids].map((pid) => joinHostCgroup(this.#cgroup, pid));
    this.#joined = Promise.all([this.#joined, ...joining]);
    this.#joined.catch(() => {});
  }

  /**
   * Where the monitor's log goes: to the caller's; without one, to a file of the sandbox, which the container keeps beyond the machine's end.
   * @param make the file is not there yet
   */
  #monitorLog(make: boolean): LogOptions {
    const { root, log, logFormat, debug } = this.#options.global;
    const file = log === undefined ? `${this.#directory}/${monitorLog}` : resolve(log);
    if (log === undefined) {
      if (make) writeFileSync(file, "", { mode: 0o600 });
      const kept = `${containerDirectory(root, this.#options.id)}/${monitorLog}`;
      // There is one already where a machine of the pool was given up.
      rmSync(kept, { force: true });
      linkSync(file, kept);
    }
    return { file, format: logFormat, debug };
  }

  /** Where the monitor is to be spoken to. */
  #channel(): SocketSource {
    return this.#monitor === undefined ? { unix: controlSocket(this.#directory) } : { fd: this.#monitor.socket };
  }

  async #startShim(network: NetworkNamespace): Promise<ShimHandle> {
    const { process } = this.#bundle.config;
    const { stdio, close } = openStdio(process, this.#options);
    try {
      this.#shim = await network.enter(() => ShimHandle.start(this.#options.id, process.args, stdio));
      return this.#shim;
    } finally {
      close();
    }
  }

  /** The machine's console is a file of its sandbox; the container keeps it beyond the machine's end. */
  #keepConsole(): void {
    const log = `${this.#directory}/console.log`;
    if (this.#member === undefined && this.#claimed === undefined) writeFileSync(log, "", { mode: 0o600 });
    linkSync(log, `${containerDirectory(this.#options.global.root, this.#options.id)}/console.log`);
  }

  #machine(network: NetworkNamespace["kind"]) {
    const { kernel, initrd, driver, driverOptions, templates, startTimeoutMs } = this.#vm;
    const { process, hostname } = this.#bundle.config;
    const title = [basename(process.args[0] ?? ""), hostname].filter(Boolean).join(" on ");
    return {
      ...{ label: this.#options.id, title, kernel, initrd, driver, driverOptions, templates, startTimeoutMs, network },
      ...this.#shape,
    };
  }

  #cgroupRequest(): HostCgroupRequest {
    const { cgroupsPath, resources } = this.#bundle.config.linux;
    const { global, id } = this.#options;
    return { id, path: cgroupsPath, systemd: global.systemdCgroup, resources, memoryMiB: this.#shape.memoryMiB };
  }

  #forShim(): ShimContainer {
    const { global, id } = this.#options;
    const limited = (this.#bundle.config.linux.resources?.memory?.limit ?? 0) > 0;
    return { id, directory: containerDirectory(global.root, id), cgroup: this.#cgroup, limited };
  }

  #record(): ContainerRecord {
    return firstRecord(this.#options, this.#bundle, {
      sandbox: this.#sandbox,
      cgroup: this.#cgroup,
      creator: identified(process.pid),
      branch: this.#branch?.record,
    });
  }
}

function identified(pid: number): Identity {
  const identity = identityOf(pid);
  if (identity !== undefined) return identity;
  throw new RunvError("MONITOR_LOST", "the monitor of the virtual machine ended before its time");
}

/** What the instructions after the last `stop` are for. */
function notesAfterStop(program: Program): ContainerRecord["afterStop"] {
  return { from: program.stop + 1, notes: program.notes.slice(program.stop + 1) };
}
