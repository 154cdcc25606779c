/** The pool that the contender "pooled" takes its machines from: of one machine, and full before anybody's turn. */
import { ask, run } from "./command";
import type { Rig } from "./rig";
import type { Runtime } from "./runtimes";

/** How long a machine may take until it is ready. */
const timeoutMs = 120_000;

/** Has a pool while something is measured; nothing when there is none to be measured. */
export async function withPool<T>(rig: Rig, action: () => Promise<T>): Promise<T> {
  const pooled = pooledOf(rig);
  if (pooled === undefined) return await action();
  await run(pooled.words("pool", "start", "--size", "1"));
  try {
    return await action();
  } finally {
    await stopPool(rig);
  }
}

/** Ends it, with whatever is in it. */
export async function stopPool(rig: Rig): Promise<void> {
  const pooled = pooledOf(rig);
  if (pooled !== undefined) await run(pooled.words("pool", "stop"));
}

/** Waits until nothing is made in the background any more: it would take the processors from those whose turn is next. */
export async function untilFull({ words }: Runtime): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const [status] = JSON.parse(ask(words("pool", "status", "--format", "json"))) as { state: string }[];
    if (status?.state === "full") return;
    if (performance.now() > deadline)
      throw new Error(`the pool is not full after ${timeoutMs / 1000} s: ${status?.state}`);
    await Bun.sleep(50);
  }
}

function pooledOf({ runtimes }: Rig): Runtime | undefined {
  return runtimes.find(({ name }) => name === "pooled");
}
