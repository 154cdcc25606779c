/** Takes a machine from the pool for a container. */
import { existsSync } from "node:fs";
import { messageOf } from "../../base/error";
import { type LogOptions, log } from "../../base/log";
import { span, traceVariable } from "../../base/trace";
import { type Identity, identityOf } from "../../linux/identity";
import { SandboxClient } from "../../sandbox/client";
import { controlSocket, removeSandbox } from "../../sandbox/paths";
import { type PooledMachine, takeUnit } from "../../sandbox/pool/pool";

/** A machine that was taken: it stands still until it is launched. */
export interface ClaimedMachine {
  client: SandboxClient;
  monitor: Identity;
  machine: Identity | undefined;
}

/**
 * Takes a machine, whose monitor goes on in another directory and network namespace.
 * @param directory where the sandbox's is to be; its parent exists
 * @param namespace a descriptor of the network namespace; undefined: the machine's own, which is new
 * @param logOptions where its monitor's log is to go; asked when the directory is there
 * @returns undefined when there is none: nothing is left of the attempt then
 */
export async function claimMachine(
  pool: string,
  machine: PooledMachine,
  directory: string,
  namespace: number | undefined,
  logOptions: () => LogOptions,
): Promise<ClaimedMachine | undefined> {
  let client: SandboxClient | undefined;
  try {
    if (!existsSync(pool)) return undefined;
    if (!takeUnit(pool, machine, directory)) {
      log.debug(`the pool ${pool} has no machine for this container`);
      return undefined;
    }
    client = await span("connect to the pooled machine", () =>
      SandboxClient.connect({ unix: controlSocket(directory) }),
    );
    const { [traceVariable]: trace } = process.env;
    const claimed = await span("claim", () =>
      client!.claim({
        directory,
        log: logOptions(),
        ...(namespace !== undefined && { namespace: { pid: process.pid, fd: namespace } }),
        ...(trace && { trace }),
      }),
    );
    const monitor = identityOf(claimed.monitor);
    if (monitor !== undefined) {
      return { client, monitor, machine: claimed.machine === undefined ? undefined : identityOf(claimed.machine) };
    }
  } catch (error) {
    log.debug(`take a machine from the pool ${pool}: ${messageOf(error)}`);
  }
  client?.close();
  await client?.closed;
  removeSandbox(directory);
  return undefined;
}
