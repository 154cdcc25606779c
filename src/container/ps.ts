import { RunvError } from "../base/error";
import { print } from "../base/output";
import { openContainer } from "./open";
import type { PsOptions } from "./options";

/** `runv ps`. @returns the exit code */
export async function listProcesses({ global, id, format }: PsOptions): Promise<number> {
  const { record, status } = openContainer(global.root, id);
  if (status === "stopped") throw new RunvError("CONTAINER_NOT_RUNNING", "container not running");
  if (format === "json") print(`${JSON.stringify([record.shim?.pid])}\n`);
  return 0;
}
