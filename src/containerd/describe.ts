/** State: how clients see containers. */
import { availableParallelism, totalmem } from "node:os";
import type { Message } from "./api/messages";
import type { DaemonContainer } from "./container";
import type { DaemonProcess } from "./process";

/** @param withPids also the processes of the host, which Docker shows to ps(1) */
export function describe(container: DaemonContainer, withPids: boolean): Message<"Container"> {
  const { id } = container;
  const { bundle, labels, runtime } = container.init.container;
  const processes = [...container.processes.values()];
  return {
    id,
    bundlePath: bundle,
    labels,
    runtime,
    processes: processes.map(describeProcess),
    status: container.status,
    pids: withPids ? processes.map(({ record }) => record.shim.pid) : [],
  };
}

/** The host, with its memory in MiB. */
export function describeMachine(): Message<"Machine"> {
  return { cpus: availableParallelism(), memory: BigInt(Math.floor(totalmem() / 2 ** 20)) };
}

function describeProcess({ record }: DaemonProcess): Message<"Process"> {
  const { view, shim } = record;
  const rlimits = view.rlimits.map(({ type, soft, hard }) => ({ type, soft: BigInt(soft), hard: BigInt(hard) }));
  return { ...view, rlimits, systemPid: shim.pid };
}
