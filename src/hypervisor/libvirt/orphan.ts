/** Ends a machine whose monitor was killed, should libvirt not have done so: as it has not, if it was killed before. */
import { readdirSync, readFileSync } from "node:fs";
import { identityOf } from "../../linux/identity";
import { signalProcess, waitForEnd } from "../../linux/processes";
import { SIGKILL } from "../../linux/signals";
import { uuidOf } from "./domain";
import { removePlaces } from "./places";
import { Virsh } from "./virsh";

/** How long QEMU may take to die. */
const endTimeoutMs = 5000;

export async function endOrphan(name: string, uri: string): Promise<void> {
  const uuid = uuidOf(name);
  try {
    const { virsh } = await Virsh.connect(uri);
    await virsh.run("destroy", uuid).catch(() => {});
    await virsh.awaitEnd(uuid);
    virsh.close();
  } catch {
    // Without its daemon, by force alone.
  }
  const pid = findQemu(uuid);
  const qemu = pid === undefined ? undefined : identityOf(pid);
  if (qemu !== undefined) {
    signalProcess(qemu, SIGKILL);
    waitForEnd(qemu, endTimeoutMs);
  }
  removePlaces(name);
}

/** The process that runs the machine of a UUID. */
function findQemu(uuid: string): number | undefined {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => commandOf(pid).includes(`\0-uuid\0${uuid}\0`));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
