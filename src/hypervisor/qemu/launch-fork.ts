import { closeSync } from "node:fs";
import { messageOf, RunvError } from "../../base/error";
import { O_NONBLOCK } from "../../linux/constants";
import { pipedConsole } from "../console";
import type { Capabilities, ForkParent, Machine, MachineSpec } from "../driver";
import { forkChild } from "./fork";
import type { ForkNotes } from "./fork-notes";
import { QemuMachine } from "./machine";
import { virtioFsDevice } from "./options";
import { Qmp } from "./qmp";

/** `Driver.launch` of the QEMU drivers, where a machine is forked from another one, which stands still: it goes on. */
export async function launchFork(
  spec: MachineSpec,
  parent: ForkParent,
  { driver, capabilities, ownServer }: { driver: string; capabilities: Capabilities; ownServer?: boolean },
): Promise<Machine> {
  const { freePageReporting, served } = parent.notes as ForkNotes;
  const { log, writing } = pipedConsole(spec.directory, O_NONBLOCK);
  const child = await forkChild(spec, parent, writing).finally(() => closeSync(writing));
  const own = { ...capabilities, freePageReporting };
  const machine = new QemuMachine(child, {
    ...{ driver, accelerator: "tcg", capabilities: own, spec, console: log },
    ...{ server: undefined, sharesMemory: ownServer === true },
    // It got its share before others were forked from it.
    ...(ownServer === true && { added: [virtioFsDevice("").id], servedBy: served }),
  });
  try {
    await machine.attach((onEvent) => Qmp.connect({ fd: child.qmp, greeted: true }, { onEvent }));
    // Its guest's answers are waited for, which come after that.
    machine.resume().catch(() => child.kill());
    return machine;
  } catch (error) {
    child.kill();
    const { stderr } = await child.exited;
    throw new RunvError("VM_FORK", [`start a forked qemu: ${messageOf(error)}`, stderr].filter(Boolean).join(": "), {
      cause: error,
    });
  }
}
