import { closeSync } from "node:fs";
import { RunvError } from "../../base/error";
import { type Identity, isAlive } from "../../linux/identity";
import { signalProcess } from "../../linux/processes";
import { SIGKILL } from "../../linux/signals";
import { unsupported } from "../capabilities";
import { openChannel } from "../channel";
import { ConsoleLog, consoleTail } from "../console";
import { diagnose } from "../diagnose";
import type {
  Capabilities,
  Channel,
  ChannelHandlers,
  Disk,
  Machine,
  MachineExit,
  MachineSize,
  MachineSpec,
  Nic,
} from "../driver";
import { memorySlots } from "../qemu/hotplug";
import { ownMemoryMiB } from "../qemu/options";
import type { QemuCgroups } from "./cgroups";
import type { LibvirtDisks } from "./disk";
import { memoryXml, nicXml, uuidOf } from "./domain";
import { fetchLink } from "./link";
import type { Virsh } from "./virsh";
import { withFile } from "./with-file";

export interface LibvirtMachineOptions {
  spec: MachineSpec;
  accelerator: string;
  capabilities: Capabilities;
  virsh: Virsh;
  cgroups: QemuCgroups;
  disks: LibvirtDisks;
  /** The descriptors of its channel and its console. */
  agent: number;
  console: number;
  /** Lets go of what only this machine needs. */
  tidy(): Promise<void>;
}

/** How often it is looked whether QEMU, which is nobody's child here, has gone after its sockets were closed. */
const lookMs = 10;

/** A machine that libvirt runs. */
export class LibvirtMachine implements Machine {
  readonly pid: number;
  readonly driver = "libvirt";
  readonly accelerator: string;
  readonly capabilities: Capabilities;
  readonly ownMemoryMiB: number;
  readonly consoleLog: string;
  readonly exited: Promise<MachineExit>;
  readonly #spec: MachineSpec;
  readonly #uuid: string;
  readonly #qemu: Identity;
  readonly #virsh: Virsh;
  readonly #cgroups: QemuCgroups;
  readonly #disks: LibvirtDisks;
  readonly #agent: number;
  #connected = false;
  #size: MachineSize;
  #modules = 0;
  #exit: MachineExit | undefined;

  constructor(qemu: Identity, options: LibvirtMachineOptions) {
    const { spec, accelerator, capabilities, virsh, cgroups, disks, agent, console } = options;
    this.pid = qemu.pid;
    this.accelerator = accelerator;
    this.ownMemoryMiB = ownMemoryMiB(accelerator);
    this.capabilities = capabilities;
    const log = new ConsoleLog(spec.directory, console);
    this.consoleLog = log.path;
    this.#spec = spec;
    this.#uuid = uuidOf(spec.name);
    this.#qemu = qemu;
    this.#virsh = virsh;
    this.#cgroups = cgroups;
    this.#disks = disks;
    this.#agent = agent;
    this.#size = { cpus: spec.cpus, memoryMiB: spec.memoryMiB };
    // What ties the machine to this process has gone, with libvirt's daemon maybe: so goes the machine.
    void virsh.lost.then(() => signalProcess(qemu, SIGKILL));
    this.exited = log.ended.then(async () => {
      while (isAlive(qemu)) await Bun.sleep(lookMs);
      // Libvirt removes what nobody is in.
      await cgroups.end();
      await virsh.awaitEnd(this.#uuid);
      await disks.end();
      if (!this.#connected) closeSync(agent);
      await options.tidy();
      this.#exit = { code: null, signal: null, stderr: "" };
      return this.#exit;
    });
  }

  async connectAgent(handlers: ChannelHandlers): Promise<Channel> {
    if (this.#connected) throw new RunvError("VM_AGENT_CHANNEL", "the agent's channel was opened already");
    this.#connected = true;
    return await openChannel(this.#agent, handlers);
  }

  async pause(): Promise<void> {
    await this.#virsh.run("suspend", this.#uuid);
  }

  async resume(): Promise<void> {
    await this.#virsh.run("resume", this.#uuid);
  }

  save(): Promise<void> {
    return Promise.reject(unsupported(this.driver, "template"));
  }

  forkNotes(): Promise<unknown> {
    return Promise.reject(unsupported(this.driver, "fork"));
  }

  /** Libvirt makes the interface where its daemon is, from where it is fetched into this network namespace. */
  async addNic(nic: Nic): Promise<void> {
    if (nic.backend === "user" || !("link" in nic.backend)) {
      const message = "the driver libvirt cannot take an interface of the caller's";
      throw new RunvError("UNSUPPORTED", message, { hint: "add it to the container's network namespace" });
    }
    const link = this.#linkOf(nic.id);
    await this.#device("attach-device", nicXml(nic, link));
    fetchLink(this.pid, link, nic.backend.link);
    this.#nics.set(nic.id, nic);
  }

  readonly #nics = new Map<string, Nic>();

  async removeNic(id: string): Promise<void> {
    const nic = this.#nics.get(id);
    if (nic === undefined) return;
    this.#nics.delete(id);
    await this.#device("detach-device", nicXml(nic, this.#linkOf(id)));
  }

  async addDisk(disk: Disk): Promise<void> {
    await this.#disks.add(disk);
  }

  async removeDisk(id: string): Promise<void> {
    await this.#disks.remove(id);
  }

  get size(): MachineSize {
    return this.#size;
  }

  async addCpus(count: number): Promise<void> {
    const cpus = this.#size.cpus + count;
    const most = this.#spec.most?.cpus ?? this.#spec.cpus;
    if (cpus > most)
      throw new RunvError("VM_FULL", `add ${count} processors to the virtual machine: it can have ${most}`);
    // Under emulation they are there, and the guest has not put them to work.
    if (this.accelerator !== "tcg")
      await this.#cgroups.atHome(() => this.#virsh.run("setvcpus", this.#uuid, String(cpus), "--live"));
    this.#size = { ...this.#size, cpus };
  }

  async addMemory(memoryMiB: number): Promise<void> {
    if (this.#modules === memorySlots) {
      const message = `add memory to the virtual machine: it has all the ${memorySlots} modules that it can`;
      throw new RunvError("VM_FULL", message);
    }
    // Libvirt 11 puts QEMU's threads into its cgroups again with each module.
    await this.#cgroups.atHome(() => this.#device("attach-device", memoryXml(memoryMiB)));
    this.#modules++;
    this.#size = { ...this.#size, memoryMiB: this.#size.memoryMiB + memoryMiB };
  }

  async kill(): Promise<MachineExit> {
    // By libvirt's hand, so that it tidies up; by force, when that does not help.
    await this.#virsh.run("destroy", this.#uuid).catch(() => {});
    signalProcess(this.#qemu, SIGKILL);
    return await this.exited;
  }

  async diagnose(waitedMs: number): Promise<RunvError> {
    await Promise.race([this.exited, Bun.sleep(100)]);
    return diagnose({
      hypervisor: "libvirt's QEMU",
      waitedMs,
      exit: this.#exit,
      status: this.#exit === undefined ? await this.#status() : undefined,
      portOpen: undefined,
      console: consoleTail(this.consoleLog, 400),
    });
  }

  /** Libvirt's word for the machine's state; undefined when it does not answer. */
  async #status(): Promise<string | undefined> {
    try {
      const said = await this.#virsh.run("domstate", this.#uuid);
      return /^(running|paused|idle|in shutdown|shut off|crashed|pmsuspended)$/m.exec(said)?.[1];
    } catch {
      return undefined;
    }
  }

  async #device(verb: string, document: string): Promise<void> {
    await withFile(document, (path) => this.#virsh.run(verb, this.#uuid, path, "--live"));
  }

  /** The name of an interface where libvirt's daemon is: nobody else's, and of 15 characters at most. */
  #linkOf(id: string): string {
    return `rv${this.#spec.name.slice(-8)}${id.replace(/\D/g, "")}`;
  }
}
