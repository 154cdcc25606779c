/**
 * A rig that the tests of a file share, for a virtual machine takes seconds to boot: what `prepare` starts stays for all of them.
 * After each test the leak check looks for whatever came to it, and at the end for all.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { settle } from "./leaks";
import { patience } from "./patience";
import { clean, closeRig, makeRig, type Rig, unmountBundles } from "./rig";
import type { RunvOptions } from "./runv";

export type SharedTest = (name: string, body: (rig: Rig) => Promise<void>) => void;

/**
 * Declares the rig.
 * @param prepare what stays for all tests
 * @param undo undoes what `prepare` did beside containers and bundles
 * @param more what each call of runv has
 * @returns what to declare the file's tests with
 */
export function sharedRig(
  prepare: (rig: Rig) => Promise<void> = async () => {},
  undo: () => Promise<void> = async () => {},
  more: RunvOptions = {},
): SharedTest {
  let rig: Rig;
  let before: string[] = [];
  const added = () => {
    const known = new Map<string, number>();
    for (const item of before) known.set(item, (known.get(item) ?? 0) + 1);
    return rig
      .leaks()
      .map(withoutState)
      .filter((item) => {
        const left = known.get(item) ?? 0;
        known.set(item, left - 1);
        return left <= 0;
      });
  };

  beforeAll(async () => {
    rig = makeRig(more);
    await prepare(rig);
    before = rig.leaks().map(withoutState);
  }, 120_000 * patience);

  afterAll(async () => {
    await clean(rig);
    await undo();
    const left = await settle(rig.leaks);
    closeRig(rig);
    expect(left).toEqual([]);
  }, 120_000 * patience);

  return (name, body) =>
    test(name, async () => {
      const bundles = rig.bundles();
      try {
        await body(rig);
        await unmountBundles(rig, bundles);
        expect(await settle(added)).toEqual([]);
      } finally {
        // What a test left that failed is no fault of the next one's.
        await unmountBundles(rig, bundles);
        before = rig.leaks().map(withoutState);
      }
    });
}

/** Whether a process sleeps or runs, and whose child it is, changes from look to look. */
function withoutState(item: string): string {
  return item.replace(/^(process \d+) \(\w, child of \d+\)/, "$1");
}
