import { fstatSync, statSync } from "node:fs";
import { RunvError } from "../../base/error";
import { unsupported } from "../capabilities";
import { openChannel } from "../channel";
import { type ConsoleLog, consoleTail } from "../console";
import { diagnose } from "../diagnose";
import type {
  Capabilities,
  Channel,
  ChannelHandlers,
  Disk,
  Forker,
  Machine,
  MachineExit,
  MachineSize,
  MachineSpec,
  Nic,
  WholeFiles,
} from "../driver";
import type { Virtiofsd } from "../virtiofsd";
import { type Child, closeQuietly } from "./child";
import { addDisk, deviceOf, removeDisk } from "./disk";
import type { ForkNotes } from "./fork-notes";
import { addCpus, addMemory, memorySlots, noRoom } from "./hotplug";
import { MigrationEvents, restoreDevices, save, saveDevices } from "./migration";
import { addNic, DeviceEvents, removeNic } from "./nic";
import { hasAllCpus, nicDevice, ownMemoryMiB, virtioFsDevice } from "./options";
import { platformOf } from "./platform";
import { type DevicePlace, Ports } from "./ports";
import type { Qmp, QmpEvent } from "./qmp";
import { saveMemory } from "./saved-memory";
import type { QemuVersion } from "./version";
import { plugVirtioFs } from "./virtio-fs";
import { describe, placeOf, refusal, type WholeNotes } from "./whole";

export interface QemuMachineOptions {
  driver: string;
  accelerator: string;
  capabilities: Capabilities;
  spec: MachineSpec;
  console: ConsoleLog;
  /** Who serves its share, if not QEMU itself. */
  server: Virtiofsd | undefined;
  /** Memory that is added is to be such that a server of the share can find it. */
  sharesMemory: boolean;
  /** QEMU's program, where it was not forked. */
  binary?: string;
  /** The ids of devices that were added before it was forked, and the numbers of QEMU's end of the socket to the server of its share. */
  added?: readonly string[];
  servedBy?: readonly number[];
}

const branchHint =
  "machines that can be branched are emulated, share their files over 9p or fuse, and are forked from their template's process (runv template ls)";

/** When the server of a share ends with QEMU, so much lies between them at most. */
const endsTogetherMs = 500;

/** A machine that QEMU runs. */
export class QemuMachine implements Machine {
  readonly pid: number;
  readonly driver: string;
  readonly accelerator: string;
  readonly capabilities: Capabilities;
  readonly ownMemoryMiB: number;
  readonly exited: Promise<MachineExit>;
  readonly settled?: Promise<void>;
  readonly #child: Child;
  readonly #console: ConsoleLog;
  #qmp: Qmp | undefined;
  #exit: MachineExit | undefined;
  /** Whether the guest has opened the agent's port. */
  #portOpen = false;
  #connected = false;
  #size: MachineSize;
  readonly #sharesMemory: boolean;
  readonly #spec: MachineSpec;
  readonly #binary: string | undefined;
  /** The inode of QEMU's end of the connection to who serves its share. */
  #served: number | undefined;
  readonly #servedBy: readonly number[];
  /** How many modules of memory were added. */
  #modules = 0;
  readonly #deviceEvents = new DeviceEvents();
  readonly #ports: Ports;
  /** Of the latest time that it is saved. */
  #migration = new MigrationEvents();
  /** Has QEMU close what it was saved to, once it runs. */
  #released: (() => Promise<unknown>) | undefined;
  /** The ids of the disks that it has, and of the interfaces that came while it ran. */
  readonly #disks = new Set<string>();
  readonly #nics = new Set<string>();
  /** Fulfilled when it runs that was restored. */
  readonly #resumed = Promise.withResolvers<void>();

  constructor(child: Child, options: QemuMachineOptions) {
    const { driver, accelerator, capabilities, spec, console, server, sharesMemory, binary } = options;
    this.pid = child.pid;
    if (child.settled !== undefined) this.settled = child.settled;
    this.driver = driver;
    this.accelerator = accelerator;
    this.capabilities = capabilities;
    this.ownMemoryMiB = ownMemoryMiB(accelerator);
    this.#child = child;
    this.#console = console;
    this.#spec = spec;
    this.#binary = binary;
    this.#size = { cpus: spec.cpus, memoryMiB: spec.memoryMiB };
    this.#sharesMemory = sharesMemory;
    this.#servedBy = options.servedBy ?? [];
    this.#ports = new Ports(platformOf(spec.architecture).ports);
    if (spec.nic !== undefined) this.#ports.take(nicDevice(spec.nic).id);
    for (const device of options.added ?? []) this.#ports.take(device);
    let lost = "";
    // Without its files the guest would wait for ever.
    void server?.exited.then(async (how) => {
      // It ends when QEMU has, too.
      const first = await Promise.race([child.exited, Bun.sleep(endsTogetherMs)]);
      if (first !== undefined) return;
      lost = how;
      child.kill();
    });
    this.exited = child.exited.then(async (ended) => {
      await console.ended;
      const exit = lost === "" ? ended : { ...ended, stderr: [lost, ended.stderr].join("\n").trim() };
      this.#exit = exit;
      server?.kill();
      await server?.exited;
      this.#qmp?.close();
      if (!this.#connected) closeQuietly(child.agent);
      return exit;
    });
  }

  /** Takes up the control channel. */
  async attach(connect: (onEvent: (event: QmpEvent) => void) => Promise<Qmp>): Promise<void> {
    this.#qmp = await connect((event) => {
      if (event.event === "RESUME") this.#resumed.resolve();
      if (event.event === "MIGRATION") this.#migration.changed(String(event.data.status));
      if (event.event === "DEVICE_DELETED") {
        this.#ports.release(String(event.data.device));
        this.#deviceEvents.deleted(String(event.data.device));
      }
      if (event.event === "VSERPORT_CHANGE" && event.data.id === "agent") this.#portOpen = event.data.open === true;
    });
  }

  /** The control channel, for what only QEMU can do. */
  get qmp(): Qmp {
    if (this.#qmp === undefined) throw new RunvError("VM_QMP_CLOSED", "the control channel of qemu is not open");
    return this.#qmp;
  }

  get consoleLog(): string {
    return this.#console.path;
  }

  async connectAgent(handlers: ChannelHandlers): Promise<Channel> {
    if (this.#connected) throw new RunvError("VM_AGENT_CHANNEL", "the agent's channel was opened already");
    this.#connected = true;
    return await openChannel(this.#child.agent, handlers);
  }

  async pause(): Promise<void> {
    await this.qmp.execute("stop");
  }

  async resume(): Promise<void> {
    await this.qmp.execute("cont");
    const release = this.#released;
    this.#released = undefined;
    await release?.();
  }

  async save(to: number): Promise<void> {
    await save(this.qmp, to, this.#migration);
  }

  async saveWhole({ memory, devices }: WholeFiles): Promise<WholeNotes> {
    const { nic, architecture, cpus, memoryMiB, most } = this.#spec;
    const refused = refusal(this.#modules, this.#nics.size, this.accelerator, architecture);
    if (refused !== undefined) throw new RunvError("CHECKPOINT_REFUSED", `cannot checkpoint: ${refused}`);
    const notes = await describe(this.qmp, { accelerator: this.accelerator, disks: [...this.#disks] });
    this.#released = await saveDevices(this.qmp, devices);
    await saveMemory(this.pid, memoryMiB * 2 ** 20, memory);
    return { ...notes, cpus, memoryMiB, ...(most && { most }), hasNic: nic !== undefined, size: this.#size };
  }

  async forkNotes(): Promise<ForkNotes> {
    const { name, forks, share, memory } = this.#spec;
    if (forks === undefined || this.#binary === undefined) throw unsupported(this.driver, "fork");
    const { describeParent } = await import("./fork-parent");
    const { freePageReporting } = this.capabilities;
    const parent = { pid: this.pid, name, binary: this.#binary, freePageReporting };
    const files = { console: this.#console.inode, share: share?.path, memory: memory?.path, served: this.#served };
    return describeParent(parent, files);
  }

  async forker(share: string): Promise<Forker> {
    const { forks, life } = this.#child;
    const { name } = this.#spec;
    if (forks === undefined || life === undefined) {
      throw new RunvError("BRANCH_REFUSED", "its virtual machine was not forked itself", { hint: branchHint });
    }
    if (this.#modules > 0)
      throw new RunvError("BRANCH_REFUSED", "its virtual machine has been given memory since it started");
    const { RunningForker } = await import("./branch");
    const [end] = this.#servedBy;
    const served = end === undefined ? undefined : statSync(`/proc/${this.pid}/fd/${end}`).ino;
    const known = { console: this.#console.inode, share, memory: undefined, life, served };
    const { freePageReporting } = this.capabilities;
    return new RunningForker({ pid: this.pid, name, forks, freePageReporting }, known);
  }

  async addNic(nic: Nic): Promise<void> {
    await this.#inPort(nicDevice(nic).id, (place) => addNic(this.qmp, nic, place));
    this.#nics.add(nic.id);
  }

  async removeNic(id: string): Promise<void> {
    await removeNic(this.qmp, id, this.#deviceEvents);
    this.#nics.delete(id);
  }

  async addDisk(disk: Disk): Promise<void> {
    await this.#inPort(deviceOf(disk.id), (place) => addDisk(this.qmp, disk, place));
    this.#disks.add(disk.id);
  }

  async removeDisk(id: string): Promise<void> {
    await removeDisk(this.qmp, id, this.#deviceEvents);
    this.#disks.delete(id);
  }

  /** Adds the device of a share over virtiofs, as soon as it runs. @param fd a connection to its server @throws RunvError VM_QMP_… */
  async plugShare(tag: string, fd: number): Promise<void> {
    await Promise.race([this.#resumed.promise, this.exited]);
    this.#served = fstatSync(fd).ino;
    await this.#inPort(virtioFsDevice(tag).id, (place) => plugVirtioFs(this.qmp, tag, fd, place));
  }

  /** Becomes the machine that was saved with its memory, which runs then. @throws RunvError CHECKPOINT_…, VM_RESTORE, VM_QMP_… */
  async takeUp(from: number, disks: readonly Disk[], notes: WholeNotes, version: QemuVersion): Promise<void> {
    for (const disk of disks) await addDisk(this.qmp, disk, placeOf(notes, disk.id));
    for (const { id } of disks) this.#disks.add(id);
    this.#size = notes.size;
    this.#migration = new MigrationEvents();
    await restoreDevices(this.qmp, from, version, this.#migration);
  }

  /** Adds a device, whose port is free again when that fails. */
  async #inPort(device: string, add: (place: DevicePlace) => Promise<void>): Promise<void> {
    const place = this.#ports.take(device);
    try {
      await add(place);
    } catch (error) {
      this.#ports.release(device);
      throw error;
    }
  }

  get size(): MachineSize {
    return this.#size;
  }

  async addCpus(count: number): Promise<void> {
    // The guest has not put them to work yet.
    if (hasAllCpus(this.accelerator, this.#spec.architecture)) this.#requireRoom(count);
    else await addCpus(this.qmp, count);
    this.#size = { ...this.#size, cpus: this.#size.cpus + count };
  }

  #requireRoom(count: number): void {
    const room = Math.max(0, (this.#spec.most?.cpus ?? 0) - this.#size.cpus);
    if (count > room) throw noRoom(count, room);
  }

  async addMemory(memoryMiB: number): Promise<void> {
    if (this.#modules === memorySlots) {
      throw new RunvError(
        "VM_FULL",
        `add memory to the virtual machine: it has all the ${memorySlots} modules that it can`,
      );
    }
    await addMemory(this.qmp, this.#modules, memoryMiB, this.#sharesMemory);
    this.#modules++;
    this.#size = { ...this.#size, memoryMiB: this.#size.memoryMiB + memoryMiB };
  }

  async kill(): Promise<MachineExit> {
    this.#child.kill();
    return await this.exited;
  }

  async diagnose(waitedMs: number): Promise<RunvError> {
    // A machine that has just died has not been reaped yet.
    await Promise.race([this.exited, Bun.sleep(100)]);
    return diagnose({
      hypervisor: "qemu",
      waitedMs,
      exit: this.#exit,
      status: this.#exit === undefined ? await this.#status() : undefined,
      portOpen: this.#portOpen,
      console: consoleTail(this.consoleLog, 400),
    });
  }

  /** QEMU's word for the machine's state, "running" or so; undefined when it does not answer. */
  async #status(): Promise<string | undefined> {
    try {
      return String((await this.qmp.execute<{ status?: unknown }>("query-status", undefined, 1000)).status);
    } catch {
      return undefined;
    }
  }
}
