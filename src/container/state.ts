import { print } from "../base/output";
import { formatState } from "../oci/state";
import type { ContainerOptions } from "./options";
import { stateOf } from "./record/status";
import { readRecord } from "./record/store";

/** `runv state`. @returns the exit code */
export async function showState({ global, id }: ContainerOptions): Promise<number> {
  print(`${formatState(stateOf(global.root, readRecord(global.root, id)))}\n`);
  return 0;
}
