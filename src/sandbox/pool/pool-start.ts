/** Starts a machine for the pool. */
import { closeSync, writeFileSync } from "node:fs";
import type { Subprocess } from "bun";
import { consoleName } from "../../hypervisor/console";
import { setPriority, withDescendants } from "../../linux/processes";
import { makeWithLoopback } from "../../network/new-namespace";
import { SandboxClient } from "../client";
import { makeSandbox, monitorLog, removeSandbox } from "../paths";
import { beginMonitor, startMonitor } from "../start-monitor";
import { type PooledMachine, readyMark } from "./pool";

/** A machine that waits to be taken. */
export interface Unit {
  directory: string;
  /** Keeps it there. */
  client: SandboxClient;
  /** Fulfilled when its monitor has ended. */
  ended: Promise<unknown>;
}

/**
 * Starts a machine in a network namespace of its own; when this is fulfilled, it can be taken.
 * @param directory the sandbox's, which is made
 * @param nice the nice value that it has then; until then it has this process's
 * @param started told of its monitor
 * @throws RunvError VM_…, SANDBOX_GONE; nothing is left then
 */
export async function startUnit(
  directory: string,
  machine: PooledMachine,
  nice: number,
  started: (monitor: Subprocess) => void,
): Promise<Unit> {
  let monitor: Subprocess | undefined;
  try {
    makeSandbox(directory);
    writeFileSync(`${directory}/${consoleName}`, "", { mode: 0o600 });
    const log = `${directory}/${monitorLog}`;
    writeFileSync(log, "", { mode: 0o600 });
    const background = startMonitor();
    monitor = background.process;
    started(monitor);
    const client = await inNewNetwork((fd) => {
      beginMonitor(background, { directory, log: { file: log }, namespace: { pid: process.pid, fd } });
      return SandboxClient.connect({ fd: background.socket });
    });
    const pids = await client.pool(machine);
    // Made with the time that nobody needed; used with as much as others have.
    for (const each of withDescendants(pids.monitor, pids.machine)) setPriority(each, nice);
    writeFileSync(readyMark(directory), "");
    return { directory, client, ended: monitor.exited };
  } catch (error) {
    monitor?.kill("SIGKILL");
    await monitor?.exited;
    removeSandbox(directory);
    throw error;
  }
}

/** Does something with a network namespace that is made for it, and goes with whoever is in it. */
async function inNewNetwork<T>(action: (namespace: number) => Promise<T>): Promise<T> {
  const namespace = makeWithLoopback();
  try {
    return await action(namespace);
  } finally {
    closeSync(namespace);
  }
}
