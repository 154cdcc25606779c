/** The edge: where whatever was thrown becomes a line for people, a line for programs, and an exit code. */
import { messageOf, RunvError } from "../base/error";
import { escapeControls } from "../base/escape";
import { log, logsToStderr } from "../base/log";
import { writeAll } from "../base/output";

/** Another error, with what the command was and an exit code of its own: `exec failed: …`, 255. */
export class Failure extends RunvError {
  readonly exitCode: number;

  /** @param more `message` in the place of its own */
  constructor(
    thrown: unknown,
    {
      prefix = "",
      exitCode = 1,
      message = messageOf(thrown),
    }: { prefix?: string; exitCode?: number; message?: string },
  ) {
    const { code, hint } = detailsOf(thrown);
    super(code, prefix + message, { cause: thrown, ...(hint === undefined ? {} : { hint }) });
    this.exitCode = exitCode;
  }
}

/** Logs and prints the error, as runc does, and returns the exit code. A stack is only for those who debug. */
export function report(thrown: unknown): number {
  const message = messageOf(thrown);
  const { code, hint } = detailsOf(thrown);
  for (let at = thrown; at instanceof Error; at = at.cause) log.debug(at.stack ?? at.message);
  if (logsToStderr()) {
    log.error(message, { code });
  } else {
    log.error(message, { code, hint });
    writeAll(2, `${escapeControls(message)}\n`);
  }
  if (hint !== undefined) writeAll(2, `hint: ${escapeControls(hint)}\n`);
  return thrown instanceof Failure ? thrown.exitCode : 1;
}

function detailsOf(thrown: unknown): { code: string; hint: string | undefined } {
  return thrown instanceof RunvError ? thrown : { code: "UNEXPECTED", hint: undefined };
}
