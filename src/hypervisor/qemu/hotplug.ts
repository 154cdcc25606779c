/** Processors and memory that a machine gets while it runs. */
import { RunvError } from "../../base/error";
import { fileProblem } from "../../linux/memory-file";
import type { Qmp } from "./qmp";

/** A place for a processor, as `query-hotpluggable-cpus` lists it; one that is taken has a path. */
interface CpuPlace {
  type: string;
  props: Readonly<Record<string, number>>;
  "qom-path"?: string;
}

/** How many modules of memory a machine can take beside what it begins with. */
export const memorySlots = 16;

/** Adds processors. The guest sees them a little later, and puts them to work itself. @throws RunvError VM_QMP_…, VM_FULL */
export async function addCpus(qmp: Qmp, count: number): Promise<void> {
  const places = await qmp.execute<CpuPlace[]>("query-hotpluggable-cpus");
  const free = places.filter((place) => place["qom-path"] === undefined).sort(byPlace);
  if (free.length < count) throw noRoom(count, free.length);
  for (const { type, props } of free.slice(0, count)) {
    await qmp.execute("device_add", { driver: type, id: `cpu-${Object.values(props).join("-")}`, ...props });
  }
}

/** The error for more processors than a machine has room for. */
export function noRoom(count: number, room: number): RunvError {
  return new RunvError("VM_FULL", `add ${count} processors to the virtual machine: it has room for ${room}`);
}

/**
 * Adds a module of memory, of a multiple of 128 MiB.
 * @param shared it can be given to another process
 * @throws RunvError VM_QMP_…, VM_MEMORY
 */
export async function addMemory(qmp: Qmp, number: number, memoryMiB: number, shared: boolean): Promise<void> {
  if (shared) requireMemoryFile(memoryMiB);
  const id = `memory-${number}`;
  const kind = shared ? { "qom-type": "memory-backend-memfd", share: true } : { "qom-type": "memory-backend-ram" };
  await qmp.execute("object-add", { ...kind, id, size: memoryMiB * 2 ** 20 });
  try {
    await qmp.execute("device_add", { driver: "pc-dimm", id: `dimm-${number}`, memdev: id });
  } catch (error) {
    await qmp.execute("object-del", { id });
    throw error;
  }
}

/** Memory that others can be given is a file, which may not be too large: QEMU has this process's limits. @throws RunvError VM_MEMORY */
export function requireMemoryFile(memoryMiB: number): void {
  const problem = fileProblem(memoryMiB);
  if (problem === undefined) return;
  throw new RunvError(
    "VM_MEMORY",
    `a machine's memory is a file where others than QEMU serve its files, and ${problem}`,
    {
      hint: "ulimit -f unlimited; or --share 9p",
    },
  );
}

function byPlace({ props: a }: CpuPlace, { props: b }: CpuPlace): number {
  const rank = (props: CpuPlace["props"]) => (props["socket-id"] ?? 0) * 2 ** 20 + (props["core-id"] ?? 0) * 2 ** 10;
  return rank(a) + (a["thread-id"] ?? 0) - rank(b) - (b["thread-id"] ?? 0);
}
