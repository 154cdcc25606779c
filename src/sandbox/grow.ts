/** A machine that gets more processors and memory while containers run in it. It never gets less. */
import { awaitMemory, bringUpCpus, decodeMemorySize, readMemorySize } from "../guest/grow";
import type { Guest } from "../guest/guest";
import { unsupported } from "../hypervisor/capabilities";
import type { Machine, MachineSize } from "../hypervisor/driver";

/** Memory comes in blocks of this size to Linux on x86-64 and aarch64. In MiB. */
const blockMiB = 128;
/** New memory is described in memory that is there already, 1.6 % of it: so it comes in portions. */
const largestPortion = 4;
/** The kernel keeps a little of new memory for itself. */
const usable = 0.9;

/**
 * Gives a machine at least this size, and waits until its guest uses it.
 * @returns the size that it has then
 * @throws RunvError UNSUPPORTED, VM_FULL, VM_QMP_…; what was added until then stays
 */
export async function grow(machine: Machine, guest: Guest, need: MachineSize): Promise<MachineSize> {
  await growCpus(machine, guest, need.cpus);
  await growMemory(machine, guest, need.memoryMiB);
  return machine.size;
}

async function growCpus(machine: Machine, guest: Guest, cpus: number): Promise<void> {
  const { cpus: first } = machine.size;
  if (cpus <= first) return;
  if (!machine.capabilities.hotplugCpu) throw unsupported(machine.driver, "hotplugCpu");
  await machine.addCpus(cpus - first);
  await guest.call(bringUpCpus(first, cpus));
}

async function growMemory(machine: Machine, guest: Guest, memoryMiB: number): Promise<void> {
  while (memoryMiB > machine.size.memoryMiB) {
    if (!machine.capabilities.hotplugMemory) throw unsupported(machine.driver, "hotplugMemory");
    const portion = portionOf(machine.size.memoryMiB, memoryMiB);
    const before = decodeMemorySize(await guest.call(readMemorySize()));
    await machine.addMemory(portion);
    await guest.call(awaitMemory(before + Math.floor(portion * 2 ** 20 * usable)));
  }
}

/** How much to add at once to a machine of `now` that is to have `need`. In MiB. */
export function portionOf(now: number, need: number): number {
  const missing = Math.ceil((need - now) / blockMiB);
  const most = Math.max(1, Math.floor((now * largestPortion) / blockMiB));
  return Math.min(missing, most) * blockMiB;
}
