/**
 * A process's FIFOs, while it is being started. Docker 1.12 waits for fifteen seconds until somebody opens their other ends, as containerd's
 * shim did at once, and takes no output then. Our shim opens them when there is a machine, which may take longer on a busy host.
 */
import { closeSync, openSync, statSync } from "node:fs";
import type { Attended } from "../container/shim/attended";
import { O_CLOEXEC, O_NONBLOCK, O_RDWR } from "../linux/constants";

/**
 * Opens both ends of those that are FIFOs. What cannot be opened is the shim's to tell of.
 * @returns a function that closes them, once the shim has them or there is no process
 */
export function holdFifos({ stdin, stdout, stderr }: Omit<Attended, "directory">): () => void {
  const held = [stdin, stdout, stderr].flatMap((path) => {
    try {
      return statSync(path).isFIFO() ? [openSync(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)] : [];
    } catch {
      return [];
    }
  });
  return () => held.forEach(closeSync);
}
