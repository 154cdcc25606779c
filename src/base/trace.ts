/**
 * A timeline of what happens between a command and its container's first word, over all of runv's processes: `--trace FILE`. The file is
 * in Chrome's trace event format, an array of which the end may be missing, to be opened in Perfetto or about:tracing.
 */
import { existsSync, openSync, writeFileSync, writeSync } from "node:fs";
import { debugs, log } from "./log";

/** The file's path goes to the processes in the background by the environment. */
export const traceVariable = "RUNV_TRACE";

/** It stays open: a shim's root directory becomes another. */
let file: number | undefined;
let role = "runv";

/** Begins a timeline, or goes on with one. */
export function traceTo(path: string): void {
  process.env[traceVariable] = path;
  if (!existsSync(path)) writeFileSync(path, "[\n");
  traceOn(path);
  // What ran before this line: the start of the executable.
  write({ name: "start of the executable", ph: "X", ts: performance.timeOrigin * 1000, dur: performance.now() * 1000 });
}

/** Goes on with a timeline, in a process that has run for long. */
export function traceOn(path: string): void {
  file = openSync(path, "a");
}

/** Says what this process is called in the timeline, when it is one in the background. */
export function traceAs(name: string): void {
  role = name;
  const path = process.env[traceVariable];
  if (path !== undefined) traceTo(path);
}

/** Notes a moment. */
export function mark(name: string): void {
  if (file !== undefined) write({ name, ph: "i", ts: now(), s: "p" });
}

/** Does something, and notes how long it took: in the timeline, and in the log of who debugs. */
export async function span<T>(name: string, action: () => T | Promise<T>): Promise<T> {
  if (file === undefined && !debugs()) return await action();
  const start = now();
  try {
    return await action();
  } finally {
    const took = now() - start;
    if (file !== undefined) write({ name, ph: "X", ts: start, dur: took });
    log.debug(name, { process: role, ms: Math.round(took / 100) / 10 });
  }
}

/** Microseconds of the clock that all processes share. */
function now(): number {
  return (performance.timeOrigin + performance.now()) * 1000;
}

function write(event: Record<string, unknown>): void {
  try {
    writeSync(file!, `${JSON.stringify({ ...event, cat: role, pid: process.pid, tid: process.pid })},\n`);
  } catch {
    // A timeline that cannot be written keeps nobody from working.
  }
}
