/** runv-containerd: the daemon that serves the API of containerd 0.2. */
import { mkdirSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { RunvError } from "../base/error";
import { log } from "../base/log";
import type { GlobalOptions } from "../base/settings";
import { tryLock } from "../linux/file-lock";
import { EventLog } from "./event-log";
import { handlers } from "./handlers";
import { ProcessStore } from "./process-store";
import { restore } from "./restore";
import { serve } from "./server";
import { Supervisor } from "./supervisor";

export interface DaemonOptions {
  /** Its root is the containers' store. */
  global: GlobalOptions;
  /** What the daemon keeps for itself. Absolute. */
  directory: string;
  /** The socket's path. Absolute. */
  listen: string;
  /** How often it logs how it does, in milliseconds; never if 0. */
  metricsIntervalMs: number;
  /** End with the last container. */
  solo: boolean;
  withRuntimeArgs(args: readonly string[]): GlobalOptions;
}

/** Runs the daemon until it is told to stop. Containers live on. @returns the exit code */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const { global, directory, listen, metricsIntervalMs, solo, withRuntimeArgs } = options;
  for (const path of [directory, global.root, dirname(listen)]) makeDirectory(path);
  for (const path of [directory, global.root]) takeLock(path);
  const events = new EventLog(`${directory}/events.log`);
  const store = new ProcessStore(`${directory}/processes`);
  const shared = { global, store, events, withRuntimeArgs };
  const supervisor = new Supervisor(shared);
  await restore(supervisor, shared);
  const server = await serve(listen, handlers(supervisor, global), events);
  log.info("runv-containerd serves", { socket: listen, containers: supervisor.containers.length });
  const metrics = metricsIntervalMs > 0 ? setInterval(() => logMetrics(supervisor), metricsIntervalMs) : undefined;
  const why = await Promise.race([stopSignal(), ...(solo ? [lastEnd(supervisor)] : [])]);
  clearInterval(metrics);
  log.info("runv-containerd stops", { why });
  server.stop();
  if (solo) rmSync(directory, { recursive: true, force: true });
  return 0;
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) process.on(name, () => resolve(name));
  });
}

function lastEnd(supervisor: Supervisor): Promise<string> {
  return new Promise((resolve) => {
    supervisor.onEnd = () => {
      if (supervisor.containers.length === 0) resolve("the last container has ended");
    };
  });
}

function logMetrics({ containers, events }: Supervisor): void {
  log.info("metrics", {
    containers: containers.length,
    processes: containers.reduce((sum, { processes }) => sum + processes.size, 0),
    subscribers: events.listeners,
    memoryMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
  });
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o711 });
  } catch (cause) {
    throw new RunvError("STATE_UNWRITABLE", `make ${path}: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
}

/** Two daemons with the same containers would tell of each end twice. The lock is held as long as this process lives. */
function takeLock(directory: string): void {
  const fd = openSync(`${directory}/.lock`, "w", 0o600);
  if (tryLock(fd)) return;
  throw new RunvError("DAEMON_RUNNING", `another runv-containerd has ${directory}`, {
    hint: "--containerd-dir and --state-dir give this one directories of its own",
  });
}
