/** Containers that are measured while they run. */
import { existsSync, readdirSync } from "node:fs";
import { run, time } from "./command";
import type { Rig } from "./rig";
import type { Runtime } from "./runtimes";

/** What a container does that is to do nothing. */
export const idle = ["sleep", "100000"];

/** Those that clone are measured unless cold boots and clones differ. */
export function runningRuntimes({ runtimes }: Rig): Runtime[] {
  return runtimes.filter(({ name }) => name !== "cold" && name !== "pooled");
}

/** The container that `withContainers` has running. */
export function theOne(runtime: Runtime): string {
  return runtime.id("idle");
}

/**
 * Has a container of each runtime run while something is measured.
 * @param bundleOf what each has; by default all have the same
 */
export async function withContainers<T>(
  rig: Rig,
  runtimes: readonly Runtime[],
  action: () => Promise<T>,
  bundleOf: (runtime: Runtime) => string = () => rig.bundle(...idle),
): Promise<T> {
  try {
    for (const runtime of runtimes) time(runtime.words("run", "-d", "-b", bundleOf(runtime), theOne(runtime)));
    return await action();
  } finally {
    for (const runtime of runtimes) await remove(runtime, theOne(runtime));
  }
}

/** Deletes a container, whatever it does. */
export async function remove(runtime: Runtime, id: string): Promise<void> {
  await run(runtime.words("delete", "--force", id));
}

/** Deletes all that a benchmark left that was interrupted. */
export async function removeAll({ runtimes }: Rig): Promise<void> {
  for (const runtime of runtimes) {
    const ids = existsSync(runtime.root) ? readdirSync(runtime.root).filter((name) => !name.startsWith(".")) : [];
    for (const id of ids) await remove(runtime, id).catch(() => {});
  }
}

/** Does something for each item, several at a time. @returns what each took, in milliseconds, in the order of the items */
export async function several<T>(
  items: readonly T[],
  atATime: number,
  action: (item: T) => Promise<void>,
): Promise<number[]> {
  const times: number[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      const start = performance.now();
      await action(items[index]!);
      times[index] = performance.now() - start;
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  return times;
}
