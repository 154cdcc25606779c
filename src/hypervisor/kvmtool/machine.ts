import type { Subprocess } from "bun";
import { RunvError } from "../../base/error";
import type { Program } from "../../program/program";
import { type Capability, unsupported } from "../capabilities";
import { openChannel } from "../channel";
import { type ConsoleLog, consoleTail } from "../console";
import { diagnose } from "../diagnose";
import type { Capabilities, Channel, ChannelHandlers, Machine, MachineExit, MachineSize, MachineSpec } from "../driver";
import { lastWords } from "../last-words";
import { failureOf } from "../spawn-program";
import { home } from "./confine";
import { controlSocket, readState, setState } from "./control";
import type { Listener } from "./vsock";

/** lkvm as a child of this process. */
export type Child = Subprocess<"pipe", number, "pipe">;

export interface KvmtoolMachineOptions {
  spec: MachineSpec;
  capabilities: Capabilities;
  /** What has become lkvm. */
  program: Program;
  listener: Listener;
  cid: number;
  /** What lkvm calls it. */
  name: string;
  console: ConsoleLog;
}

/** How often it is looked whether the guest has connected: nothing tells of that. */
const lookMs = 20;

/** A machine that lkvm runs. */
export class KvmtoolMachine implements Machine {
  readonly pid: number;
  readonly driver = "kvmtool";
  readonly accelerator = "kvm";
  readonly capabilities: Capabilities;
  readonly consoleLog: string;
  readonly exited: Promise<MachineExit>;
  readonly size: MachineSize;
  readonly #child: Child;
  readonly #options: KvmtoolMachineOptions;
  #exit: MachineExit | undefined;
  #connected = false;

  constructor(child: Child, options: KvmtoolMachineOptions) {
    const { spec, capabilities, program, listener, console } = options;
    this.pid = child.pid;
    this.capabilities = capabilities;
    this.consoleLog = console.path;
    this.size = { cpus: spec.cpus, memoryMiB: spec.memoryMiB };
    this.#child = child;
    this.#options = options;
    const said = lastWords(child.stderr);
    this.exited = child.exited.then(async () => {
      await console.ended;
      if (!this.#connected) listener.close();
      const signal = child.signalCode === null ? null : String(child.signalCode);
      const words = await said;
      const exit = {
        code: child.exitCode,
        signal,
        stderr: failureOf(program, child.exitCode, words)?.message ?? words,
      };
      this.#exit = exit;
      return exit;
    });
  }

  /** The guest connects once it has booted: until then nothing can be written. */
  async connectAgent(handlers: ChannelHandlers): Promise<Channel> {
    if (this.#connected) throw new RunvError("VM_AGENT_CHANNEL", "the agent's channel was opened already");
    this.#connected = true;
    const { listener, cid } = this.#options;
    let channel: Channel | undefined;
    let paused = false;
    let closed = false;
    const wait = async () => {
      let fd: number | undefined;
      while (!closed && this.#exit === undefined && fd === undefined) {
        fd = listener.accept(cid);
        if (fd === undefined) await Bun.sleep(lookMs);
      }
      listener.close();
      if (fd === undefined) return handlers.close();
      channel = await openChannel(fd, handlers);
      if (paused) channel.pause();
      handlers.drain();
    };
    void wait().catch(() => handlers.close());
    return {
      write: (bytes) => channel?.write(bytes) ?? 0,
      pause: () => {
        paused = true;
        channel?.pause();
      },
      resume: () => {
        paused = false;
        channel?.resume();
      },
      close: () => {
        closed = true;
        channel?.close();
      },
    };
  }

  pause(): Promise<void> {
    return setState(this.#control, "paused");
  }

  resume(): Promise<void> {
    return setState(this.#control, "running");
  }

  save(): Promise<void> {
    return this.#refuse("template");
  }

  forkNotes(): Promise<unknown> {
    return this.#refuse("fork");
  }

  addNic(): Promise<void> {
    return this.#refuse("hotplugNic");
  }

  /** Its frames have stopped with its tap; the guest keeps a dead device. */
  async removeNic(): Promise<void> {}

  addDisk(): Promise<void> {
    return this.#refuse("hotplugDisk");
  }

  async removeDisk(): Promise<void> {}

  addCpus(): Promise<void> {
    return this.#refuse("hotplugCpu");
  }

  addMemory(): Promise<void> {
    return this.#refuse("hotplugMemory");
  }

  async kill(): Promise<MachineExit> {
    this.#child.kill("SIGKILL");
    return await this.exited;
  }

  async diagnose(waitedMs: number): Promise<RunvError> {
    // A machine that has just died has not been reaped yet.
    await Promise.race([this.exited, Bun.sleep(100)]);
    return diagnose({
      hypervisor: "lkvm",
      waitedMs,
      exit: this.#exit,
      status: this.#exit === undefined ? await readState(this.#control).catch(() => undefined) : undefined,
      portOpen: undefined,
      console: consoleTail(this.consoleLog, 400),
    });
  }

  /** In its jail, where nobody else finds it and nothing is left of it. */
  get #control(): string {
    return controlSocket(`/proc/${this.pid}/root${home}`, this.#options.name);
  }

  #refuse(capability: Capability): Promise<never> {
    return Promise.reject(unsupported(this.driver, capability));
  }
}
