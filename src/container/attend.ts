/** What a command does that stays in the foreground while a process of a container runs. */
import { signalProcess } from "../linux/processes";
import { onSignals } from "./signals";
import type { ShimHandle } from "./spawn-shim";

const SIGWINCH = 28;

/** Passes on to the process whatever signal comes to this command. */
export function passSignals({ identity }: ShimHandle): void {
  onSignals((signal) => signalProcess(identity, signal));
  process.on("SIGWINCH", () => signalProcess(identity, SIGWINCH));
}

/** Waits for the process's end. @returns its exit code */
export async function exitCodeOf({ process }: ShimHandle): Promise<number> {
  await process.exited;
  return process.exitCode ?? 128 + 9;
}
