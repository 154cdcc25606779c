/** Hooks that run on the host (config.md, "POSIX-platform Hooks"). */

import { constants } from "node:os";
import { RunvError } from "../../base/error";
import { log } from "../../base/log";
import { endedBy } from "../../linux/signals";
import type { Hook, HookName } from "../../oci/hooks";
import { formatHookState, type State } from "../../oci/state";

/**
 * Runs hooks, one after the other, each with the container's state on its standard input.
 * @throws RunvError HOOK_FAILED with what the hook wrote on standard error
 */
export async function runHooks(name: HookName, hooks: readonly Hook[], state: State): Promise<void> {
  for (const [index, hook] of hooks.entries()) await runHook(`${name} hook #${index}`, hook, state);
}

/** As runHooks, but failures are logged: the container is gone, whatever they do. */
export async function runHooksAnyway(name: HookName, hooks: readonly Hook[], state: State): Promise<void> {
  for (const [index, hook] of hooks.entries()) {
    try {
      await runHook(`${name} hook #${index}`, hook, state);
    } catch (error) {
      log.warn((error as Error).message);
    }
  }
}

async function runHook(name: string, hook: Hook, state: State): Promise<void> {
  const { path, args = [path], env, timeout } = hook;
  let child: ReturnType<typeof spawnHook>;
  try {
    child = spawnHook(path, args, env, formatHookState(state));
  } catch (cause) {
    throw new RunvError("HOOK_FAILED", `error running ${name}: ${path}: cannot be executed`, { cause });
  }
  const timer = timeout === undefined ? undefined : setTimeout(() => child.kill(9), timeout * 1000);
  const [stderr] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  const timedOut = child.signalCode !== null && timer !== undefined && child.killed;
  clearTimeout(timer);
  if (child.exitCode === 0) return;
  const signal = child.signalCode === null ? undefined : constants.signals[child.signalCode as NodeJS.Signals];
  const how = signal === undefined ? `exit status ${child.exitCode}` : endedBy(signal);
  const why = timedOut ? `not done after ${timeout} s` : how;
  throw new RunvError("HOOK_FAILED", `error running ${name}: ${path}: ${why}${stderr && `: ${stderr.trimEnd()}`}`);
}

function spawnHook(path: string, args: readonly string[], env: readonly string[] | undefined, state: string) {
  return Bun.spawn([path, ...args.slice(1)], {
    argv0: args[0] ?? path,
    stdin: Buffer.from(state),
    stdout: "ignore",
    stderr: "pipe",
    // As runc: one that is given no environment has the runtime's own. Of each name the last entry counts.
    env: env === undefined ? process.env : Object.fromEntries(env.filter((e) => e.indexOf("=") > 0).map(pair)),
  });
}

function pair(entry: string): [name: string, value: string] {
  const equals = entry.indexOf("=");
  return [entry.slice(0, equals), entry.slice(equals + 1)];
}
