/** Ends a domain whose monitor was killed, should its guard have been killed too. */
import { removeLogs } from "./logs";
import { xl } from "./toolstack";

/** @throws RunvError VM_XEN_REFUSED */
export async function endOrphan(name: string): Promise<void> {
  try {
    if (await isThere(name)) await xl("destroy", name);
  } catch (error) {
    // Its guard may have been quicker.
    if (await isThere(name)) throw error;
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
