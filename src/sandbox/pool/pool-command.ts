/** Starts and ends keepers of the pool. */
import { type PackedError, packError, RunvError, unpackError } from "../../base/error";
import { signalProcess, waitForEnd } from "../../linux/processes";
import { SIGTERM } from "../../linux/signals";
import { maxToGuest } from "../../wire/frame";
import { connectFrames } from "../../wire/frame-socket";
import { decodeJson } from "../../wire/frame-stream";
import { startBackground } from "../background";
import { type PoolStatus, shapeDirectory } from "./pool";
import { Keeper, type KeeperTask } from "./pool-keeper";

/** What a command and the keeper that it starts say to each other, over the socket that the keeper inherits as descriptor 3. */
const Say = {
  /** JSON: `KeeperTask`. */
  task: 112,
  /** The first machine is ready. */
  ready: 113,
  /** JSON: `PackedError`, why there will be none. */
  failed: 114,
} as const;

/** How long a keeper may take to end its machines. */
const stopTimeoutMs = 30_000;

/**
 * Starts a keeper, which lives on; fulfilled when its first machine is ready.
 * @throws RunvError POOL_RUNNING, POOL_LOST, VM_…
 */
export async function startPool(task: KeeperTask): Promise<void> {
  const { socket } = startBackground(["pool-keeper", shapeDirectory(task.pool, task.machine)]);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stream = await connectFrames({ fd: socket }, maxToGuest, () => ({
    frame({ type, payload }) {
      if (type === Say.ready) resolve();
      else if (type === Say.failed) reject(unpackError(decodeJson(payload) as PackedError));
    },
    close: () => reject(new RunvError("POOL_LOST", "the keeper of the pool ended before its first machine was ready")),
  }));
  stream.sendJson(Say.task, task);
  await promise;
  stream.close();
}

/** Runs a keeper, to the end of its pool. */
export async function runKeeper(): Promise<number> {
  const { promise: asked, resolve: ask } = Promise.withResolvers<KeeperTask | undefined>();
  const stream = await connectFrames({ fd: 3 }, maxToGuest, () => ({
    frame: ({ type, payload }) => type === Say.task && ask(decodeJson(payload) as KeeperTask),
    close: () => ask(undefined),
  }));
  const task = await asked;
  if (task === undefined) return 1;
  try {
    const keeper = new Keeper(task);
    for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => keeper.stop());
    await keeper.run(() => stream.send(Say.ready, 0));
    return 0;
  } catch (error) {
    stream.sendJson(Say.failed, packError(error, "POOL_LOST"));
    stream.close();
    return 1;
  }
}

/** Ends a pool with all machines that nobody has taken. @throws RunvError POOL_LOST when it does not end */
export function stopPool({ keeper, cpus, memoryMiB }: PoolStatus): void {
  signalProcess(keeper, SIGTERM);
  if (waitForEnd(keeper, stopTimeoutMs)) return;
  throw new RunvError("POOL_LOST", `the keeper ${keeper.pid} of the pool ${cpus}x${memoryMiB} does not end`, {
    hint: `kill -9 ${keeper.pid}: its machines end with it`,
  });
}
