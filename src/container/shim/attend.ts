/** What a command does that stays in the foreground while a process of a container runs. */
import { signalProcess } from "../../linux/processes";
import { SIGKILL, SIGWINCH } from "../../linux/signals";
import { onSignals } from "./signals";
import type { ShimHandle } from "./spawn-shim";

/** Passes on to the process whatever signal comes to this command. */
export function passSignals({ identity }: ShimHandle): void {
  onSignals((signal) => signalProcess(identity, signal));
  process.on("SIGWINCH", () => signalProcess(identity, SIGWINCH));
}

/** Waits for the process's end. @returns its exit code */
export async function exitCodeOf({ process }: ShimHandle): Promise<number> {
  await process.exited;
  return process.exitCode ?? 128 + SIGKILL;
}
