/** Machines that are saved with their memory, and others that go on where those were. */
import { closeSync } from "node:fs";
import { RunvError } from "../base/error";
import { span } from "../base/trace";
import { connectionsOf, endConnections } from "../guest/connections";
import { wakeAndJoin } from "../guest/prepare";
import { becomeRestored } from "../guest/restored";
import type { Driver, Machine, Nic } from "../hypervisor/driver";
import { takeDescriptor } from "../linux/take-descriptor";
import { planBoot } from "./boot";
import { connect, hostOf, type Sandbox, type SandboxHandlers } from "./connect";
import type { RestoreRequest, SaveRequest } from "./messages";
import type { Standing } from "./stand-still";

/** How a machine is to stand still while it is saved. @throws RunvError CHECKPOINT_REFUSED */
export function standingFor(
  machine: Machine,
  driver: Driver,
  release: string,
  { paused, shared }: Pick<SaveRequest, "paused" | "shared">,
): Standing {
  const { type, server = type } = driver.guestMount;
  const [first] = shared;
  if (machine.saveWhole === undefined)
    throw refused(`the driver ${machine.driver} cannot save a machine`, "--driver qemu can");
  if (type !== "9p") {
    throw refused(`a machine whose share is served by ${server} cannot be saved`, `with --share 9p ${hint}`);
  }
  // QEMU saves no machine in which a share over 9p is mounted, and the guest can let go only of what nobody has open.
  if (first !== undefined) throw refused(`${first} is served over 9p, which QEMU cannot save`, hint);
  return { paused, without: hostOf({ driver, release }) };
}

const hint = "a container can be whose root file system is a disk (org.runv.rootfs.block), and that has no volumes";

function refused(why: string, hint: string): RunvError {
  return new RunvError("CHECKPOINT_REFUSED", `cannot checkpoint: ${why}`, { hint });
}

/** Starts a machine that was saved, whose container is frozen. @throws RunvError CHECKPOINT_…, VM_…; nothing is left behind then */
export async function restore(
  request: RestoreRequest,
  driver: Driver,
  nic: Nic | undefined,
  directory: string,
  handlers: SandboxHandlers,
): Promise<Sandbox> {
  const { plan } = await planBoot(request, driver, nic, directory, handlers);
  const { pid, memory, devices, saved, init, container, of } = request;
  const opened: number[] = [];
  const take = (theirs: number) => {
    opened.push(takeDescriptor(pid, theirs));
    return opened.at(-1)!;
  };
  try {
    const disks = request.disks.map((disk, index) => ({ ...disk, id: saved.disks.ids[index]!, fd: take(disk.fd) }));
    const spec = { ...plan.spec, restore: take(devices), saved: { notes: saved.notes, memory: take(memory), disks } };
    const machine = await span("hypervisor: start", () => driver.launch(spec));
    handlers.started(machine);
    try {
      const { agent, send, guest } = await connect(machine, spec, handlers);
      guest.inherit(saved.own);
      await span("guest: wake, join the host", () => guest.call(wakeAndJoin(hostOf(plan))));
      const { hello, hiddenNic } = saved;
      const [connections] = await span("guest: become another", () =>
        Promise.all([connectionsOf(guest), guest.call(becomeRestored({ init, container, of, hiddenNic }))]),
      );
      await span("guest: end connections", () => endConnections(guest, connections));
      return { machine, agent, send, guest, architecture: spec.architecture, hello, hiddenNic, cloned: true };
    } catch (error) {
      await machine.kill();
      throw error;
    }
  } finally {
    for (const own of opened) closeSync(own);
  }
}
