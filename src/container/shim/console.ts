/** Where a process's standard streams come from: this command's own, or a new terminal that is passed to the caller. */
import { closeSync } from "node:fs";
import { RunvError } from "../../base/error";
import { sendDescriptor } from "../../linux/send-descriptor";
import { isTerminal, openTerminal } from "../../linux/terminal";
import type { Process } from "../../oci/process";
import type { BackgroundStdio } from "../../sandbox/background";
import type { CreateOptions } from "../options";

/** The standard streams of this command. */
const own = [0, 1, 2] as const;

/**
 * Checks that the flags fit the process, in runc's words.
 * @param detach whether the command returns while the process runs
 * @throws RunvError USAGE
 */
export function checkConsole(process: Process, consoleSocket: string | undefined, detach: boolean): void {
  if (process.terminal && detach && consoleSocket === undefined) {
    throw new RunvError("USAGE", "cannot allocate tty if runv will detach without setting console socket");
  }
  if ((!process.terminal || !detach) && consoleSocket !== undefined) {
    throw new RunvError("USAGE", "cannot use console socket if runv will not detach or allocate tty");
  }
}

/**
 * Whether a terminal inside makes CR LF of a new line, as terminals do. In the foreground, a file or pipe gets what the process wrote, as with runc, and
 * a terminal that is not put into raw mode, for stdin is none, does it itself.
 * @param detach whether the command returns while the process runs: its streams are somebody else's then
 */
export function keepsOnlcr(detach: boolean): boolean {
  return detach || (isTerminal(0) && isTerminal(1));
}

/**
 * The standard streams for a process's shim. With a console socket they are a new terminal, whose master is sent there; one that a
 * daemon looks after opens its own.
 * @returns the streams, and a function that closes this command's copy
 * @throws RunvError CONSOLE_SOCKET
 */
export function openStdio(
  process: Process,
  { consoleSocket, attended }: Pick<CreateOptions, "consoleSocket" | "attended">,
): { stdio: BackgroundStdio; close: () => void } {
  if (attended !== undefined) return { stdio: "ignore", close: () => {} };
  if (consoleSocket === undefined) return { stdio: own, close: () => {} };
  const size = process.consoleSize && { rows: process.consoleSize.height, columns: process.consoleSize.width };
  const { master, slave } = openTerminal(size);
  try {
    sendDescriptor(consoleSocket, master, "/dev/ptmx");
  } catch (cause) {
    closeSync(slave);
    throw new RunvError("CONSOLE_SOCKET", `send the terminal to ${consoleSocket}: ${(cause as Error).message}`, {
      cause,
    });
  } finally {
    closeSync(master);
  }
  return { stdio: [slave, slave, slave], close: () => closeSync(slave) };
}
