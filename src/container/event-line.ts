/** What `runv events` prints, whatever the container is made on: a line of JSON for each event, as runc has them (types/events.go). */
import { RunvError } from "../base/error";
import { stringifyExactly } from "../base/exact-json";
import { print } from "../base/output";
import { openContainer } from "./record/open-record";
import type { ContainerRecord } from "./record/store";

/** @param data of the type `stats`: what the container uses */
export function printEvent(type: "stats" | "oom", id: string, data?: Record<string, unknown>): void {
  print(`${stringifyExactly({ type, id, data })}\n`);
}

/** The container, which has not ended. @throws RunvError CONTAINER_UNKNOWN, CONTAINER_NOT_RUNNING */
export function openLiving(root: string, id: string): ContainerRecord {
  const { record, status } = openContainer(root, id);
  if (status !== "stopped" && status !== "creating") return record;
  throw new RunvError("CONTAINER_NOT_RUNNING", `container with id ${id} is not running`);
}

/** An interval that timers can have: with a longer one they would fire at once. @param ms milliseconds */
export function timerInterval(ms: number): number {
  return Math.min(ms, 2 ** 31 - 1);
}
