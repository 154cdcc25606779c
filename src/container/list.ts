import { existsSync } from "node:fs";
import { defaultRoot } from "../base/default-root";
import { messageOf, RunvError } from "../base/error";
import { print, writeAll } from "../base/output";
import { type ContainerState, stateFields } from "../oci/state";
import type { ListOptions } from "./options";
import { stateOf } from "./record/status";
import { listIds, readRecord } from "./record/store";
import { formatTable } from "./table";

/** `runv list`. @returns the exit code */
export async function listContainers({ global, format, quiet }: ListOptions): Promise<number> {
  // As runc: the usual one is made with the first container, and one that was named is somewhere else.
  if (global.root !== defaultRoot && !existsSync(global.root)) {
    throw new RunvError("USAGE", `open ${global.root}: does not exist`, {
      hint: "--root is where containers were made",
    });
  }
  const states = listIds(global.root).flatMap((id) => stateIfAny(global.root, id));
  if (quiet) print(states.map(({ id }) => `${id}\n`).join(""));
  else if (format === "json") print(`${states.length === 0 ? "null" : JSON.stringify(states.map(stateFields))}\n`);
  else print(formatTable(["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"], states.map(row)));
  return 0;
}

function stateIfAny(root: string, id: string): ContainerState[] {
  try {
    return [stateOf(root, readRecord(root, id))];
  } catch (error) {
    // As runc: the others are shown all the same.
    if (!(error instanceof RunvError && error.code === "CONTAINER_UNKNOWN")) {
      writeAll(2, `load container ${id}: ${messageOf(error)}\n`);
    }
    return [];
  }
}

function row({ id, pid, status, bundle, created, owner }: ContainerState): string[] {
  return [id, String(pid), status, bundle, created, owner];
}
