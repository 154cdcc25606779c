/** Ends a domain whose monitor was killed, should its guard have been killed too. */
import { readdirSync, readFileSync } from "node:fs";
import { identityOf } from "../../linux/identity";
import { waitForEnd } from "../../linux/processes";
import { removeLogs } from "./logs";
import { xl } from "./toolstack";

/** How long a process of a domain that is gone may take to end. */
const endTimeoutMs = 10_000;

/** @throws RunvError VM_XEN_REFUSED */
export async function endOrphan(name: string): Promise<void> {
  try {
    if (await isThere(name)) await xl("destroy", name);
  } catch (error) {
    // Its guard may have been quicker.
    if (await isThere(name)) throw error;
  }
  for (const pid of processesOf(name)) {
    const identity = identityOf(pid);
    if (identity !== undefined) waitForEnd(identity, endTimeoutMs);
  }
  removeLogs(name);
}

/** `xl domid` fails when there is none. */
async function isThere(name: string): Promise<boolean> {
  return await xl("domid", name).then(
    () => true,
    () => false,
  );
}

/** Its guard, its device model, and the xl that waits for its end: all have its name on their command lines. */
function processesOf(name: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => commandOf(pid).includes(name));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
