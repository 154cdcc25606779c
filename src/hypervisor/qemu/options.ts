/**
 * QEMU's command line, a pure function of what is to be started. All that depends on QEMU's version is decided in versions.ts.
 *
 * @see https://www.qemu.org/docs/master/system/invocation.html
 */
import { RunvError } from "../../base/error";
import { commandLineOf, underTcg } from "../../image/command-line";
import { type Architecture, architecture } from "../../linux/syscalls";
import type { MachineSize, MachineSpec, Nic, NicBackend, Share, TapBackend } from "../driver";
import { memorySlots } from "./hotplug";
import { platformOf } from "./platform";
import { type DevicePlace, firstPlace, portOptions } from "./ports";
import type { QemuVersion } from "./version";
import { changesFor } from "./versions";

export type Accelerator = "kvm" | "tcg";

/** Descriptors that QEMU inherits. */
export interface QemuDescriptors {
  /** A connected stream socket: the control channel. */
  qmp: number;
  /** A connected stream socket: the agent's channel. */
  agent: number;
  /** Where the guest's console is written to. */
  console: number;
  /** The tap of the first network interface, and its /dev/vhost-net. */
  tap: number;
  vhost: number;
  /** A connection to virtiofsd. */
  share: number;
}

export interface QemuMachine
  extends Pick<
    MachineSpec,
    | "name"
    | "kernel"
    | "initrd"
    | "commandLine"
    | "cpus"
    | "memoryMiB"
    | "architecture"
    | "most"
    | "nic"
    | "memory"
    | "restore"
    | "forks"
  > {
  /** It goes on where another one was saved with its memory. */
  saved?: { machine: string };
  /** A directory that QEMU serves over 9p, or the share that virtiofsd serves. */
  share?: Share | { tag: string };
  /** Its memory can be given to another process, as virtiofsd is one. */
  sharesMemory?: boolean;
  version: QemuVersion;
  accelerator: Accelerator;
  /** How fast the processor's time stamp counter is, in kHz, where an emulated machine is to tell the time by it. */
  counterKHz?: number | undefined;
  descriptors: QemuDescriptors;
}

/** The arguments of QEMU, without its own name. */
export function qemuArguments(machine: QemuMachine): string[] {
  const { name, version, accelerator, descriptors, share, nic } = machine;
  const changes = changesFor(version, machine.architecture);
  const platform = platformOf(machine.architecture);
  return [
    ["-name", value(name), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    [
      "-machine",
      [
        machineOf(accelerator === "kvm" ? platform.machineWithKvm : platform.machine, machine),
        ...changes.machine,
        ...(hasBackend(machine) ? [ownMemory] : []),
      ].join(","),
    ],
    changes.options,
    accelerator === "kvm"
      ? ["-accel", "kvm", "-cpu", "host"]
      : ["-accel", `tcg,thread=multi,tb-size=${translatedMiB}`, "-cpu", platform.processor(version, changes.processor)],
    ["-smp", processors(machine), "-m", memoryModules(machine)],
    memoryOptions(machine),
    machine.restore === undefined ? [] : ["-incoming", "defer"],
    // In the file of a machine's devices alone, that of the machine itself is missing.
    machine.saved === undefined ? [] : ["-global", "migration.send-configuration=off"],
    // Whoever is forked from it has a filter of its own: sandbox-filter.ts.
    machine.forks === undefined
      ? ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
      : [],
    ["-chardev", `socket,id=qmp,fd=${descriptors.qmp}`, "-mon", "chardev=qmp,mode=control"],
    ["-add-fd", `set=1,fd=${descriptors.console}`],
    ["-chardev", "file,id=console,path=/dev/fdset/1,append=on", "-serial", "chardev:console"],
    ["-device", `virtio-serial-pci,id=serial${notices(accelerator)}`],
    ["-chardev", `socket,id=agent,fd=${descriptors.agent}`],
    ["-device", `virtserialport,bus=serial.0,chardev=agent,id=agent,name=${agentPort}`],
    share === undefined ? [] : shareOptions(share, machine),
    portOptions(platform.ports),
    nic === undefined ? [] : nicOptions(nic, descriptors, platform.ports === 0 ? {} : firstPlace),
    changes.devices.flatMap((device) => ["-device", device]),
    bootOptions(machine),
  ].flat();
}

/** What the machine boots from; one that is restored has booted, and QEMU would read and lay out the kernel all the same. */
function bootOptions(machine: QemuMachine): string[] {
  const { kernel, initrd, restore } = machine;
  if (restore !== undefined) return [];
  return ["-kernel", kernel, "-initrd", initrd, "-append", kernelCommandLine(machine).join(" ")];
}

/** The name of the virtio port at which the guest's init looks for its channel. */
export const agentPort = "runv.agent";

/**
 * What translated code of the guest may take under emulation, in MiB; when it is full all is forgotten, and what still runs is translated anew.
 * QEMU's own bound is 1 GiB, and a guest that starts programs fills any: each time a file's pages are read again, its code is another's.
 */
export const translatedMiB = 128;
/** What QEMU notes of each piece of it, beside it. */
const notesOfTranslated = 0.5;

/** What QEMU may come to take for itself with this accelerator, beside the guest's memory and what any hypervisor takes. In MiB. */
export function ownMemoryMiB(accelerator: string): number {
  return accelerator === "tcg" ? translatedMiB * (1 + notesOfTranslated) : 0;
}

/** Whether all processors that a machine may come to have are there from the beginning, and its guest puts them to work. */
export function hasAllCpus(accelerator: string, architecture?: Architecture): boolean {
  return accelerator === "tcg" || !platformOf(architecture).plugsCpus;
}

/**
 * Sockets of one processor each, so that any number can be added. Under emulation all are there from the beginning, and the guest puts the first
 * few to work: Linux counts what may be plugged in only where it knows the hypervisor (from 6.12 on; commit adbf61cc47cb), and it knows none there.
 */
function processors({ cpus, most, accelerator, architecture }: QemuMachine): string {
  if (!canGrowCpus(cpus, most)) return String(cpus);
  return `${hasAllCpus(accelerator, architecture) ? most!.cpus : `${cpus},maxcpus=${most!.cpus}`},cores=1,threads=1`;
}

function canGrowCpus(cpus: number, most: MachineSize | undefined): boolean {
  return most !== undefined && most.cpus > cpus;
}

function memoryModules(machine: QemuMachine): string {
  const { memoryMiB, most } = machine;
  const growing = canGrowMemory(machine) ? `,slots=${memorySlots},maxmem=${most!.memoryMiB}M` : "";
  return `${memoryMiB}M${growing}`;
}

function canGrowMemory({
  memoryMiB,
  most,
  architecture,
}: Pick<QemuMachine, "memoryMiB" | "most" | "architecture">): boolean {
  return platformOf(architecture).growsMemory && most !== undefined && most.memoryMiB > memoryMiB;
}

/**
 * Memory that is added is used at once. It may come to lie above 4 GiB, for which the kernel would keep 64 MiB aside for devices
 * that cannot reach it: there are none.
 */
const growing = ["memhp_default_state=online", "swiotlb=noforce"];

/**
 * How a device hears that the guest has put something into its queue. KVM tells another thread by an eventfd, so that the processor need
 * not leave the guest for long; an emulated one is QEMU's own thread already, and the other would only have to be woken up.
 */
function notices(accelerator: Accelerator): string {
  return accelerator === "tcg" ? ",ioeventfd=off" : "";
}

/** The machine's memory is an object of its own. */
const ownMemory = "memory-backend=memory";

function hasBackend({ memory, sharesMemory }: QemuMachine): boolean {
  return memory !== undefined || sharesMemory === true;
}

/** The type under the name that it has in all versions of QEMU from that on, where a machine is to be as it was saved. */
function machineOf(options: string, { saved }: QemuMachine): string {
  return saved === undefined ? options : options.replace(/^[^,]*/, value(saved.machine));
}

/**
 * What is not to be written to is mapped privately, whatever QEMU is told (preload/private-memory.c). From 11.0 on it tells devices of vhost-user only of memory
 * that it takes for shared (findings/vhost-user-private-memory.sh).
 */
function memoryOptions(machine: QemuMachine): string[] {
  if (!hasBackend(machine)) return [];
  const { memory, memoryMiB, sharesMemory } = machine;
  const size = `id=memory,size=${memoryMiB}M`;
  if (memory === undefined) return ["-object", `memory-backend-memfd,${size},share=on`];
  return [
    "-object",
    `memory-backend-file,${size},mem-path=${value(memory.path)},share=${memory.write || sharesMemory ? "on" : "off"}`,
  ];
}

function shareOptions(share: Share | { tag: string }, { accelerator, descriptors }: QemuMachine): string[] {
  if (!("path" in share)) {
    return ["-chardev", `socket,id=share,fd=${descriptors.share}`, "-device", optionOf(virtioFsDevice(share.tag))];
  }
  return [
    "-fsdev",
    `local,id=share,path=${value(share.path)},security_model=passthrough,multidevs=remap`,
    "-device",
    `virtio-9p-pci,fsdev=share,mount_tag=${value(share.tag)}${notices(accelerator)}`,
  ];
}

/** The device of a share over virtiofs, as -device and device_add name it. */
export function virtioFsDevice(tag: string) {
  return { driver: "vhost-user-fs-pci", id: "share", chardev: "share", tag, "queue-size": 1024 };
}

function nicOptions(nic: Nic, { tap, vhost }: QemuDescriptors, place: DevicePlace): string[] {
  const own = tapOf(nic.backend);
  const hasVhost = own?.vhost === true;
  const backend = own === undefined ? "user" : `tap,fd=${tap}${hasVhost ? `,vhost=on,vhostfd=${vhost}` : ""}`;
  return ["-netdev", `${backend},id=${nic.id}`, "-device", optionOf({ ...nicDevice(nic), ...place })];
}

/** The tap of an interface; undefined for QEMU's own router. */
export function tapOf(backend: NicBackend): TapBackend | undefined {
  if (backend === "user") return undefined;
  if ("tap" in backend) return backend;
  throw new RunvError("UNSUPPORTED", "QEMU makes no network interface on the host: it is given taps");
}

/** The device of a network interface, as -device and device_add name it. Nobody boots from it, so it has no ROM. */
export function nicDevice({ id, mac }: Nic) {
  return { driver: "virtio-net-pci", id: `dev-${id}`, netdev: id, mac, romfile: "" };
}

function optionOf({ driver, ...properties }: { driver: string } & Record<string, string | number>): string {
  return [driver, ...Object.entries(properties).map(([key, text]) => `${key}=${value(String(text))}`)].join(",");
}

/**
 * Where somebody else than QEMU writes to the guest's memory, an emulated processor does not hear of it, and goes on with the code that it has
 * translated there. So the guest clears each page before it puts it to another use, which is heard. Debian's kernels do so by themselves.
 */
const clearing = ["init_on_alloc=1"];

/**
 * What the guest's kernel is told. Of its log the console gets what is notable: enough to see how far a boot came, for a
 * tenth of the traps that all of it takes. Later words win: `debug` in the machine's own brings all.
 */
export function kernelCommandLine(
  machine: Pick<
    QemuMachine,
    "accelerator" | "architecture" | "commandLine" | "cpus" | "memoryMiB" | "most" | "counterKHz" | "sharesMemory"
  >,
): string[] {
  const {
    accelerator,
    architecture: guests = architecture,
    commandLine = [],
    cpus,
    most,
    counterKHz,
    sharesMemory,
  } = machine;
  const clears = accelerator === "tcg" && sharesMemory === true ? clearing : [];
  const emulated = accelerator === "tcg" ? underTcg[guests] : [];
  const clock = accelerator === "tcg" && counterKHz !== undefined ? byCounter(counterKHz) : [];
  const idle = hasAllCpus(accelerator, guests) && canGrowCpus(cpus, most) ? [`maxcpus=${cpus}`] : [];
  const grows = canGrowMemory(machine) ? growing : [];
  return [...commandLineOf(guests), "loglevel=6", ...emulated, ...clock, ...clears, ...idle, ...grows, ...commandLine];
}

/** The kernel takes the counter for its clock, and does not measure it first. */
function byCounter(kHz: number): string[] {
  return ["tsc=reliable", `tsc_early_khz=${kHz}`];
}

/** A value of an option with parts: its commas are doubled. */
function value(text: string): string {
  return text.replaceAll(",", ",,");
}
