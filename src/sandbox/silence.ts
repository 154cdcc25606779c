/**
 * Notices a guest that does not answer any more: its hypervisor has been stopped, or its kernel is stuck. What a guest is asked for may take
 * its time, so that is not limited; but init, which has nothing else to do, answers at once.
 */
import { RunvError } from "../base/error";
import { within } from "../base/within";
import type { Guest } from "../guest/guest";

/** When a guest that has been asked for something is asked whether it is there, again and again, and how long it may take to answer that. */
const patience = { quietMs: 10_000, answerMs: 60_000 };

/** What has a guest, or will have one: a `SandboxClient`. */
interface HasGuest {
  readonly guest: Guest | undefined;
  /** Has all that is waited for fail. */
  giveUp(error: RunvError): void;
}

/**
 * Does something that waits for the guest, as long as that takes while the guest answers.
 * @throws RunvError GUEST_SILENT, and what the action throws
 */
export async function whileItAnswers<T>(
  client: HasGuest,
  action: () => Promise<T>,
  { quietMs, answerMs } = patience,
): Promise<T> {
  const result = action();
  const ended = settled(result);
  const watch = async () => {
    while (!(await within(quietMs, ended))) {
      // Rarely needed: a shim is to be small.
      const { ping } = await import("../guest/ping");
      const { guest } = client;
      if (guest === undefined || (await within(answerMs, Promise.race([ended, settled(ping(guest))])))) continue;
      client.giveUp(silent());
      return;
    }
  };
  void watch();
  return await result;
}

/** Fulfilled with the promise, whatever becomes of that. */
function settled(promise: Promise<unknown>): Promise<true> {
  return promise.then(
    () => true,
    () => true,
  );
}

/** What is thrown of such a guest. */
export function silent(): RunvError {
  return new RunvError("GUEST_SILENT", "the virtual machine does not answer", {
    hint: "'runv kill ID KILL' and 'runv delete --force ID' do without its answer",
  });
}
