/**
 * What an end-to-end test has: a directory and a `--root` of its own, bundles, and runv. `runvTest` is `test` with such
 * a rig; after each test it looks for everything that may have been left behind, and that is a failure too.
 */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { type BundleOptions, makeBundle } from "./bundle";
import { command } from "./command";
import { leakFinder, settle } from "./leaks";
import { commandLine, type Result, type RunvOptions, runRunv, spawnRunv } from "./runv";

export interface Rig {
  /** In the names of everything that the test makes. */
  name: string;
  directory: string;
  /** The `--root` of the test's containers. */
  root: string;
  /** A container id that no other test has. */
  id(suffix: string): string;
  bundle(options?: BundleOptions): Promise<string>;
  /** Runs `runv --root ROOT ARGS`. */
  runv(args: readonly string[], options?: RunvOptions): Promise<Result>;
  /** The same, without waiting for its end. */
  spawn(args: readonly string[], options?: RunvOptions): ReturnType<typeof spawnRunv>;
  /** The words of that command line, for a program that is to call runv itself. */
  command(args: readonly string[]): string[];
  /** What there is now of this rig, besides its bundles. */
  leaks(): string[];
  /** The bundles that were made until now. */
  bundles(): string[];
}

/** A test that must leave nothing behind but its bundles, whether it passes or not. @param more what each call of runv has */
export function runvTest(name: string, body: (rig: Rig) => Promise<void>, more: RunvOptions = {}): void {
  test(name, async () => {
    const rig = makeRig(more);
    try {
      await body(rig);
      await unmountBundles(rig);
      expect(await settle(rig.leaks)).toEqual([]);
    } finally {
      await clean(rig);
      closeRig(rig);
    }
  });
}

/** A test of containers without a virtual machine. */
export function hostTest(name: string, body: (rig: Rig) => Promise<void>): void {
  runvTest(name, body, { withoutMachine: true });
}

export function makeRig(more: RunvOptions = {}): Rig {
  const directory = mkdtempSync("/tmp/runv-test-");
  const name = basename(directory);
  const root = join(directory, "root");
  mkdirSync(root);
  const full = (args: readonly string[]) => ["--root", root, ...args];
  const bundles: string[] = [];
  return {
    name,
    directory,
    root,
    id: (suffix) => `${name}-${suffix}`,
    bundle: async (options) => {
      const bundle = await makeBundle(directory, options);
      bundles.push(bundle);
      return bundle;
    },
    runv: (args, options) => runRunv(name, full(args), { ...more, ...options }),
    spawn: (args, options) => spawnRunv(name, full(args), { ...more, ...options }),
    command: (args) => commandLine(full(args), more.withoutMachine),
    leaks: leakFinder(name, root),
    bundles: () => [...bundles],
  };
}

/** Where a test has templates of its own, if it has any: their processes end when it is removed. */
export const templatesOf = ({ directory }: Rig): string => join(directory, "templates");

/** Of a test that failed: its containers are deleted, so that the next test does not suffer. */
export async function clean(rig: Rig): Promise<void> {
  const ids = existsSync(rig.root) ? readdirSync(rig.root).filter((name) => !name.startsWith(".")) : [];
  for (const id of ids) await rig.runv(["delete", "--force", id]);
  await unmountBundles(rig);
}

/** Removes the rig's directory. */
export function closeRig({ directory }: Rig): void {
  rmSync(directory, { recursive: true, force: true });
}

/** Unmounts the bundles' root file systems. @param except bundles that stay */
export async function unmountBundles({ directory }: Rig, except: readonly string[] = []): Promise<void> {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((point) => point.startsWith(`${directory}/bundle-`))
    .filter((point) => !except.some((bundle) => point.startsWith(`${bundle}/`)));
  for (const point of points.reverse()) await command("umount", point);
}
