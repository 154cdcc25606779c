/** Starting monitors. */
import { writeSync } from "node:fs";
import type { LogOptions } from "../base/log";
import { encodeFrame } from "../wire/frame";
import { type Background, startBackground } from "./background";
import { ControlType } from "./messages";

/** What a monitor is told first, over the socket that it inherits; whoever tells is its first client. */
export interface MonitorTask {
  /** The sandbox's, absolute; it is there. */
  directory: string;
  log: LogOptions;
  /** It is being moved into the cgroups in which its machine is to be: `settled` tells when it is there. */
  moves?: boolean;
  /** A descriptor of process `pid`, which keeps it until the monitor answers: the network namespace to be in. Undefined: that in which it was started. */
  namespace?: { pid: number; fd: number } | undefined;
}

/** Starts a monitor, which waits for its task. When the socket is closed before, it ends. */
export function startMonitor(): Background {
  return startBackground(["monitor"]);
}

/** Gives a monitor its task. */
export function beginMonitor({ socket }: Background, task: MonitorTask): void {
  writeSync(socket, encodeFrame(ControlType.begin, 0, Buffer.from(JSON.stringify(task))));
}
