import { closeSync } from "node:fs";
import { RunvError } from "../../base/error";
import { unsupported } from "../capabilities";
import { openChannel } from "../channel";
import { type ConsoleLog, consoleTail } from "../console";
import { diagnose } from "../diagnose";
import type {
  Capabilities,
  Channel,
  ChannelHandlers,
  Machine,
  MachineExit,
  MachineSize,
  MachineSpec,
  Nic,
} from "../driver";
import { mostOf } from "./config";
import type { Guard } from "./guard";
import { wrongKernel } from "./kernel";
import type { LaunchOptions } from "./launch";
import { removeLogs } from "./logs";
import { addNic, removeNic } from "./nic";
import { xl } from "./toolstack";

export interface XenMachineOptions extends LaunchOptions {
  spec: MachineSpec;
  /** The domain's device model. */
  pid: number;
  /** The descriptor of the agent's channel, whose other end is the device model's. */
  agent: number;
  guard: Guard;
  /** It ends with the domain. */
  console: ConsoleLog;
}

/** A domain of Xen's. */
export class XenMachine implements Machine {
  readonly pid: number;
  readonly driver: string;
  readonly accelerator: string;
  readonly capabilities: Capabilities;
  readonly consoleLog: string;
  readonly exited: Promise<MachineExit>;
  readonly #options: XenMachineOptions;
  /** Fulfilled when the device model has gone. */
  readonly #lost = Promise.withResolvers<void>();
  /** The MAC addresses that Xen knows interfaces by, by their ids. */
  readonly #macs = new Map<string, string>();
  #connected = false;
  #size: MachineSize;
  #exit: MachineExit | undefined;

  constructor(options: XenMachineOptions) {
    const { driver, type, capabilities, spec, pid, console } = options;
    this.pid = pid;
    this.driver = driver;
    this.accelerator = type;
    this.capabilities = capabilities;
    this.consoleLog = console.path;
    this.#options = options;
    this.#size = { cpus: spec.cpus, memoryMiB: spec.memoryMiB };
    this.exited = this.#end();
  }

  async connectAgent(handlers: ChannelHandlers): Promise<Channel> {
    if (this.#connected) throw new RunvError("VM_AGENT_CHANNEL", "the agent's channel was opened already");
    this.#connected = true;
    return await openChannel(this.#options.agent, {
      data: (bytes) => handlers.data(bytes),
      drain: () => handlers.drain(),
      close: () => {
        this.#lost.resolve();
        handlers.close();
      },
    });
  }

  async pause(): Promise<void> {
    await xl("pause", this.#name);
  }

  async resume(): Promise<void> {
    await xl("unpause", this.#name);
  }

  save(): Promise<void> {
    return Promise.reject(unsupported(this.driver, "template"));
  }

  forkNotes(): Promise<unknown> {
    return Promise.reject(unsupported(this.driver, "fork"));
  }

  addDisk(): Promise<void> {
    return Promise.reject(unsupported(this.driver, "hotplugDisk"));
  }

  async removeDisk(): Promise<void> {}

  async addNic(nic: Nic): Promise<void> {
    await addNic(this.driver, this.#name, nic, this.#options.cacheDirectory);
    this.#macs.set(nic.id, nic.mac);
  }

  async removeNic(id: string): Promise<void> {
    const mac = this.#macs.get(id);
    if (mac === undefined) return;
    this.#macs.delete(id);
    await removeNic(this.#name, mac);
  }

  get size(): MachineSize {
    return this.#size;
  }

  async addCpus(count: number): Promise<void> {
    const cpus = this.#size.cpus + count;
    const most = mostOf(this.#options.spec).cpus;
    if (cpus > most) throw full(`${count} processors`, most);
    await xl("vcpu-set", this.#name, String(cpus));
    this.#size = { ...this.#size, cpus };
  }

  /** The guest's balloon gives back what it was told to hold when it booted. */
  async addMemory(memoryMiB: number): Promise<void> {
    const wanted = this.#size.memoryMiB + memoryMiB;
    const most = mostOf(this.#options.spec).memoryMiB;
    if (wanted > most) throw full(`${memoryMiB} MiB`, `${most} MiB`);
    await xl("mem-set", this.#name, `${wanted}m`);
    this.#size = { ...this.#size, memoryMiB: wanted };
  }

  async kill(): Promise<MachineExit> {
    await this.#options.guard.destroy();
    return await this.exited;
  }

  async diagnose(waitedMs: number): Promise<RunvError> {
    await Promise.race([this.exited, Bun.sleep(100)]);
    const console = consoleTail(this.consoleLog, 400);
    const { spec, type } = this.#options;
    const wrong = console.length === 0 ? wrongKernel(spec.kernel, type) : undefined;
    if (wrong !== undefined) return wrong;
    return diagnose({
      hypervisor: "xen",
      waitedMs,
      exit: this.#exit,
      status: this.#exit === undefined ? await this.#status() : undefined,
      portOpen: undefined,
      console,
    });
  }

  get #name(): string {
    return this.#options.spec.name;
  }

  /** Waits until the domain ends by itself or is ended, and removes what is left of it. */
  async #end(): Promise<MachineExit> {
    const { guard, console, agent } = this.#options;
    await Promise.race([this.#lost.promise, console.ended]);
    await guard.destroy();
    await console.ended;
    if (!this.#connected) closeSync(agent);
    removeLogs(this.#name);
    this.#exit = { code: null, signal: null, stderr: "" };
    return this.#exit;
  }

  /** "running", or Xen's letters for another state; undefined when it does not answer. */
  async #status(): Promise<string | undefined> {
    try {
      const state = / ([-rbpscd]{6}) /.exec(await xl("list", this.#name))?.[1];
      return state === undefined || /^[-rb]+$/.test(state) ? "running" : state;
    } catch {
      return undefined;
    }
  }
}

function full(what: string, most: number | string): RunvError {
  return new RunvError("VM_FULL", `add ${what} to the virtual machine: it can have ${most} at most`);
}
