/** Makes a container on this host, step by step, each of which can be undone. */
import { closeSync, openSync } from "node:fs";
import { anyway } from "../../base/anyway";
import { RunvError } from "../../base/error";
import { fileProblem } from "../../base/file-problem";
import { span } from "../../base/trace";
import { sharedSettings } from "../../guest/lower/settings";
import { identityOf } from "../../linux/identity";
import { listenForPackets } from "../../linux/unix-socket";
import { type Bundle, loadBundle } from "../../oci/bundle";
import type { NamespaceType } from "../../oci/namespaces";
import type { Program } from "../../program/program";
import {
  type HostCgroupRequest,
  makeHostCgroup,
  ownCgroups,
  planHostCgroup,
  removeHostCgroup,
} from "../cgroup/host-cgroup";
import { withAnnotations } from "../making/annotations";
import { passwdOf, withEnvironment } from "../making/environment";
import { runHooks } from "../making/hooks";
import type { CreateOptions } from "../options";
import { firstRecord } from "../record/first-record";
import { stateOf } from "../record/status";
import {
  type ContainerRecord,
  containerDirectory,
  makeContainerDirectory,
  removeContainerDirectory,
  writeRecord,
} from "../record/store";
import { announce } from "../shim/announce";
import { checkConsole, keepsOnlcr } from "../shim/console";
import { sendTerminal, sizedAsCaller } from "./console";
import { setDevices, setLimits } from "./limits";
import { hasEarlyHooks, programsOnHost } from "./plan";
import { requirePreserved } from "./preserved";
import { GivenDescriptors, HostProcess } from "./process";
import { assertHostOptions, assertHostSupports } from "./refuse";
import { openSources } from "./sources";

/** A container that waits to be started. */
export interface MadeOnHost {
  record: ContainerRecord;
  process: HostProcess;
  /** Leaves nothing of it. */
  undo(): Promise<void>;
}

/** What comes after a container is made. */
export interface HostMakingPlan {
  /** The command returns while the container runs. */
  detach: boolean;
  /** Another command starts it. */
  startedByAnother: boolean;
}

/** The name, in the container's directory, of the socket on which its process waits to be started. */
export const startSocket = "start";

/** @throws RunvError; nothing is left behind then */
export async function makeOnHost(options: CreateOptions, how: HostMakingPlan): Promise<MadeOnHost> {
  const bundle = loadBundle(options.bundle, assertHostSupports);
  assertHostOptions({ ...options, global: withAnnotations(options.global, bundle.config.annotations) });
  checkConsole(bundle.config.process, options.consoleSocket, how.detach);
  requirePreserved(options.preserveFds);
  const making = new Making(options, bundle, how);
  try {
    return await making.make();
  } catch (error) {
    await making.undo();
    throw error;
  }
}

class Making {
  readonly #options: CreateOptions;
  readonly #bundle: Bundle;
  readonly #how: HostMakingPlan;
  /** What takes back each step that was done. */
  readonly #undo: (() => unknown)[] = [];
  readonly #given: GivenDescriptors;

  constructor(options: CreateOptions, bundle: Bundle, how: HostMakingPlan) {
    this.#options = options;
    this.#bundle = bundle;
    this.#how = how;
    this.#given = new GivenDescriptors(options.preserveFds);
  }

  async make(): Promise<MadeOnHost> {
    const { global, id } = this.#options;
    const { root } = global;
    const { config } = this.#bundle;
    makeContainerDirectory(root, id);
    this.#undo.push(() => removeContainerDirectory(root, id));
    // Everything is recorded before it is made, so that it can be removed whenever this command is killed.
    const request = this.#cgroupRequest();
    const cgroup = planHostCgroup(request, true);
    let record = this.#record(cgroup);
    writeRecord(root, record);
    this.#undo.push(() => removeHostCgroup(cgroup));
    makeHostCgroup(request);
    const { resources } = config.linux;
    setDevices(ownCgroups(request), resources);
    if (resources !== undefined) setLimits(ownCgroups(request), resources);
    const { process, outer } = await this.#startProcess(record);
    record = { ...record, shim: process.identity };
    writeRecord(root, record);
    if (outer !== undefined || hasEarlyHooks(this.#bundle)) await this.#atBirth(process, record, outer);
    process.next();
    this.#carryTerminal(process);
    record = { ...record, phase: "created" };
    writeRecord(root, record);
    announce(process.pid, this.#options);
    return { record, process, undo: () => this.undo() };
  }

  async undo(): Promise<void> {
    for (const step of this.#undo.splice(0).reverse()) await anyway(async () => step());
  }

  /** Starts the process, with all that it is given. */
  async #startProcess(record: ContainerRecord): Promise<{ process: HostProcess; outer: Program | undefined }> {
    const opened: number[] = [];
    try {
      const listener = this.#how.startedByAnother ? this.#listen(opened) : undefined;
      const joined = this.#openNamespaces(opened);
      const sources = await openSources(this.#bundle, this.#given, opened);
      const config = {
        ...this.#bundle.config,
        process: sizedAsCaller(withEnvironment(this.#bundle.config.process, passwdOf(this.#bundle)), this.#how.detach),
      };
      const { main, outer } = programsOnHost({
        id: this.#options.id,
        bundle: { ...this.#bundle, config },
        cgroups: ownCgroups(this.#cgroupRequest()),
        settings: record.settings,
        given: this.#given,
        ...{ sources, joined, listener },
        detach: this.#how.detach,
        onlcr: keepsOnlcr(this.#how.detach),
        keyring: this.#options.noNewKeyring !== true,
      });
      record.afterStop = { from: main.stop + 1, notes: main.notes.slice(main.stop + 1) };
      const process = HostProcess.start(main, this.#given);
      this.#undo.push(() => process.kill());
      return { process, outer };
    } finally {
      for (const fd of opened) closeSync(fd);
    }
  }

  /** What only somebody outside can do for the process, and hooks, while it has its namespaces and nothing in them. */
  async #atBirth(process: HostProcess, record: ContainerRecord, outer: Program | undefined): Promise<void> {
    const { hooks } = this.#bundle.config;
    process.next();
    if (outer !== undefined) runToItsEnd(outer.withArgument(process.pid));
    const state = { ...stateOf(this.#options.global.root, record), status: "creating" as const, pid: process.pid };
    await span("hooks", async () => {
      await runHooks("prestart", hooks.prestart, state);
      await runHooks("createRuntime", hooks.createRuntime, state);
    });
    process.go();
  }

  /** Has the terminal, if there is one, go where the caller wants it. */
  #carryTerminal(process: HostProcess): void {
    const { consoleSocket } = this.#options;
    if (consoleSocket !== undefined) sendTerminal(process, consoleSocket);
  }

  #listen(opened: number[]): number {
    const { global, id } = this.#options;
    const socket = listenForPackets(`${containerDirectory(global.root, id)}/${startSocket}`);
    opened.push(socket);
    return this.#given.give(socket);
  }

  /** @throws RunvError NAMESPACE */
  #openNamespaces(opened: number[]): Map<NamespaceType, number> {
    const joined = new Map<NamespaceType, number>();
    for (const [index, { type, path }] of this.#bundle.config.linux.namespaces.entries()) {
      if (path === undefined) continue;
      try {
        const fd = openSync(path, "r");
        opened.push(fd);
        joined.set(type, this.#given.give(fd));
      } catch (cause) {
        const message = `linux.namespaces[${index}].path: ${path}: ${fileProblem(cause)}`;
        throw new RunvError("NAMESPACE", message, { cause });
      }
    }
    return joined;
  }

  #cgroupRequest(): HostCgroupRequest {
    const { cgroupsPath, resources } = this.#bundle.config.linux;
    const { global, id } = this.#options;
    return { id, path: cgroupsPath, systemd: global.systemdCgroup, resources, memoryMiB: 0 };
  }

  #record(cgroup: string[]): ContainerRecord {
    const creator = identityOf(process.pid);
    if (creator === undefined) throw new RunvError("PROCESS_START", "read /proc: this process is not there");
    return {
      ...firstRecord(this.#options, this.#bundle, { sandbox: "", cgroup, creator, branch: undefined }),
      driver: "host",
      settings: sharedSettings(this.#bundle.config),
      ...(this.#options.noNewKeyring === true && { sharesKeyring: true }),
    };
  }
}

/** Runs a program that is no container's to its end. @throws RunvError what failed */
function runToItsEnd(program: Program): void {
  const helper = HostProcess.start(program, new GivenDescriptors(0));
  try {
    helper.next();
  } finally {
    helper.leave();
    helper.kill();
  }
}
