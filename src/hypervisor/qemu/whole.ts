/** A machine that was saved with its memory, and how another QEMU becomes that machine: the same processors, memory and devices, in the same places. */
import { RunvError } from "../../base/error";
import { isObject } from "../../base/is-object";
import { type Architecture, architecture } from "../../linux/syscalls";
import type { MachineSize, MachineSpec, Nic } from "../driver";
import { deviceOf } from "./disk";
import { machineType } from "./platform";
import type { DevicePlace } from "./ports";
import type { Qmp } from "./qmp";
import { counterKHz } from "./tsc";
import { atLeast, formatVersion, type QemuVersion } from "./version";

/** How far the counters of two hosts may be apart; measuring is a tenth of that off. */
const mostOff = 0.005;

/** What is noted of it. */
export interface WholeNotes {
  /** QEMU's: processors and devices are what that version makes of them. */
  version: string;
  accelerator: string;
  /** The type's name that has a version in it. */
  machine: string;
  /** It has an interface that was there when it started. */
  hasNic: boolean;
  /** What it was started with, and how far it could grow. */
  cpus: number;
  memoryMiB: number;
  most?: MachineSize;
  /** What it has now. */
  size: MachineSize;
  /** How fast the processor's counter is, in kHz, where the guest tells the time by it. */
  counterKHz?: number;
  /** Where its disks' devices are on the bus, by the ids of the disks. */
  disks: Record<string, number>;
}

/** A device on the bus, as `query-pci` has it. */
interface PciDevice {
  slot: number;
  qdev_id: string;
}

/**
 * Why a machine cannot be saved whole; undefined if it can.
 * @param modules of memory that came while it ran
 * @param nics interfaces that did
 * @param accelerator by which it runs
 */
export function refusal(
  modules: number,
  nics: number,
  accelerator: string,
  guests: Architecture = architecture,
): string | undefined {
  if (accelerator !== "tcg") return `its virtual machine runs with ${accelerator}`;
  if (guests !== "x86_64") return `its virtual machine is of ${guests}`;
  if (modules > 0) return "its virtual machine has been given memory since it started";
  if (nics > 0) return "its virtual machine has been given network interfaces since it started";
  return undefined;
}

/** What is noted of a machine that is paused, and is about to be saved. @param disks their ids @throws RunvError VM_QMP_… */
export async function describe(qmp: Qmp, { accelerator, disks }: { accelerator: string; disks: readonly string[] }) {
  const { qemu } = await qmp.execute<{ qemu: { major: number; minor: number; micro: number } }>("query-version");
  const kHz = accelerator === "tcg" ? counterKHz() : undefined;
  return {
    version: formatVersion([qemu.major, qemu.minor, qemu.micro]),
    accelerator,
    machine: await versionedType(qmp, machineType),
    ...(kHz !== undefined && { counterKHz: kHz }),
    disks: await placesOf(qmp, disks),
  };
}

/** The slots of disks. */
async function placesOf(qmp: Qmp, ids: readonly string[]): Promise<Record<string, number>> {
  const buses = await qmp.execute<{ devices: PciDevice[] }[]>("query-pci");
  const devices = buses.flatMap(({ devices }) => devices);
  return Object.fromEntries(
    ids.map((id) => {
      const found = devices.find(({ qdev_id }) => qdev_id === deviceOf(id));
      if (found === undefined) throw new RunvError("VM_SAVE", `save the virtual machine: it has no disk ${id}`);
      return [id, found.slot];
    }),
  );
}

/** The name with a version in it of the type of machine that this QEMU makes. @param type its name in the command line */
async function versionedType(qmp: Qmp, type: string): Promise<string> {
  const types = await qmp.execute<{ name: string; alias?: string }[]>("query-machines");
  return types.find(({ alias }) => alias === type)?.name ?? type;
}

/**
 * Reads the notes of a machine that is to be restored by this QEMU, which may come from a file that somebody has changed.
 * @throws RunvError CHECKPOINT_DAMAGED, CHECKPOINT_DIFFERS
 */
export function readNotes(notes: unknown, version: QemuVersion, accelerator: string, nic: Nic | undefined): WholeNotes {
  if (!isWhole(notes))
    throw new RunvError("CHECKPOINT_DAMAGED", "restore: what is noted of the virtual machine is damaged");
  const differs = (what: string, hint: string) => new RunvError("CHECKPOINT_DIFFERS", `restore: ${what}`, { hint });
  // What a processor can is not part of what is saved, and not the same in all versions.
  const [major = "", minor = ""] = notes.version.split(".");
  const next = `${major}.${Number(minor) + 1}`;
  if (!atLeast(version, `${major}.${minor}`) || atLeast(version, next)) {
    const message = `the virtual machine was saved by QEMU ${notes.version}, and this is ${formatVersion(version)}`;
    throw differs(message, `qemu = "PATH" in config.toml names a QEMU ${major}.${minor}`);
  }
  if (notes.accelerator !== accelerator) {
    const message = `the virtual machine was saved with ${notes.accelerator}, and this is ${accelerator}`;
    throw differs(message, "--driver tcg or --driver kvm takes the one");
  }
  if (notes.hasNic !== (nic !== undefined)) {
    throw differs("the virtual machine had a network interface when it was saved", "is /dev/net/tun there?");
  }
  const kHz = notes.counterKHz === undefined ? undefined : counterKHz();
  if (kHz !== undefined && Math.abs(kHz / notes.counterKHz! - 1) > mostOff) {
    throw differs(
      `the virtual machine tells the time by a counter of ${notes.counterKHz} kHz, and this host's has ${kHz} kHz`,
      "restore it on a host with such a processor",
    );
  }
  return notes;
}

function isWhole(notes: unknown): notes is WholeNotes {
  if (!isObject(notes) || !isObject(notes.disks) || !isSize(notes.size)) return false;
  const { version, accelerator, machine, cpus, memoryMiB, most, hasNic } = notes;
  return (
    [version, accelerator, machine].every((text) => typeof text === "string") &&
    [cpus, memoryMiB, ...Object.values(notes.disks)].every(Number.isSafeInteger) &&
    typeof hasNic === "boolean" &&
    (most === undefined || isSize(most))
  );
}

function isSize(size: unknown): boolean {
  return isObject(size) && [size.cpus, size.memoryMiB].every(Number.isSafeInteger);
}

/** What a machine is started with that is restored. */
export function sizesOf({ cpus, memoryMiB, most }: WholeNotes): Pick<MachineSpec, "cpus" | "memoryMiB" | "most"> {
  return { cpus, memoryMiB, ...(most && { most }) };
}

/** Where a machine that is restored is to have a disk: where it had it. @throws RunvError CHECKPOINT_DAMAGED */
export function placeOf({ disks }: WholeNotes, id: string): DevicePlace {
  const slot = disks[id];
  if (slot === undefined) throw new RunvError("CHECKPOINT_DAMAGED", `restore: the virtual machine had no disk ${id}`);
  return { addr: slot.toString(16) };
}
