import type { Identity } from "../linux/identity";
import { signalProcess } from "../linux/processes";
import { SIGKILL } from "../linux/signals";
import type { ContainerMachine } from "./machine";
import type { ShimLink } from "./shim-link";

/**
 * Sends a signal to a process that is not its container's first. One that a guest does not take is not lost without a word, and SIGKILL
 * does without the guest.
 * @throws RunvError GUEST_SILENT
 */
export async function signalFurther(
  machine: ContainerMachine,
  link: ShimLink,
  shim: Identity,
  signal: number,
): Promise<void> {
  try {
    await machine.answers();
  } catch (error) {
    if (signal !== SIGKILL) throw error;
    signalProcess(shim, SIGKILL);
  }
  link.signal(signal);
}
