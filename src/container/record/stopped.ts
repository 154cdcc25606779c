/** Notices that a container's monitor or its hypervisor has been stopped (SIGSTOP, a debugger): it answers nobody then, however long one waits. */
import { RunvError } from "../../base/error";
import { isStopped } from "../../linux/identity";
import { signalProcess } from "../../linux/processes";
import { SIGKILL } from "../../linux/signals";
import type { ContainerRecord } from "./store";

type Parts = Pick<ContainerRecord, "monitor" | "machine">;

/** How often is looked. Who is stopped at two looks is not only being looked at itself. */
const lookMs = 1000;

/**
 * Does something that waits for a container's machine, as long as neither its monitor nor its hypervisor is stopped.
 * @param giveUp has the action fail with this, so that it can undo what it has done; false when it cannot, and is left alone
 * @throws RunvError GUEST_SILENT, and what the action throws
 */
export async function whileItRuns<T>(
  parts: Parts,
  action: () => Promise<T>,
  giveUp: (error: RunvError) => boolean = () => false,
): Promise<T> {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  let seen: string | undefined;
  const timer = setInterval(() => {
    const now = stoppedPart(parts);
    if (now !== undefined && now === seen) {
      const error = silent(now);
      if (!giveUp(error)) reject(error);
    }
    seen = now;
  }, lookMs);
  try {
    return await Promise.race([action(), failed]);
  } finally {
    clearInterval(timer);
  }
}

/** Kills what is stopped of a machine that nobody needs any more: it does not end by itself. A monitor's death is its machine's. */
export function endStopped({ monitor, machine }: Parts): void {
  for (const part of [machine, monitor]) if (part !== undefined && isStopped(part)) signalProcess(part, SIGKILL);
}

function stoppedPart({ monitor, machine }: Parts): string | undefined {
  if (monitor !== undefined && isStopped(monitor)) return `its monitor (pid ${monitor.pid})`;
  if (machine !== undefined && isStopped(machine)) return `its hypervisor (pid ${machine.pid})`;
  return undefined;
}

function silent(part: string): RunvError {
  return new RunvError("GUEST_SILENT", `the virtual machine does not answer: ${part} is stopped`, {
    hint: "kill -CONT lets it go on; 'runv kill ID KILL' and 'runv delete --force ID' do without its answer",
  });
}
