/** Errors of work that nobody waits for. */
import { messageOf } from "./error";
import { log } from "./log";

/** Has this process log them and go on: what others depend on does not end because something beside that has failed. */
export function surviveStrayErrors(): void {
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error: unknown) => {
      log.error(`something in the background has failed: ${messageOf(error)}`);
      if (error instanceof Error && error.stack !== undefined) log.debug(error.stack);
    });
  }
}
