/** A command that cannot be executed, in the foreground. */
import { RunvError } from "../base/error";
import { escapeControls } from "../base/escape";
import { writeAll } from "../base/output";
import { failing } from "../guest/lower/failing";

/** What a container's process ends with that could not execute its command, as with runc. */
const unexecutedCode = 255;

/** What the process itself would say: with runc it has become the container by then, and nobody else to tell. */
function ofExecve(error: unknown): string | undefined {
  const prefix = `${failing}: `;
  if (!(error instanceof RunvError) || error.code !== "COMMAND_FAILED") return undefined;
  return error.message.startsWith(`${prefix}exec /`) ? error.message.slice(prefix.length) : undefined;
}

/** Says what execve(2) has against the command, as the process itself would. @returns its exit code @throws any other error */
export function sayUnexecuted(error: unknown): number {
  const said = ofExecve(error);
  if (said === undefined) throw error;
  writeAll(2, `${escapeControls(said)}\n`);
  return unexecutedCode;
}
