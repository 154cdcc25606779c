import type { Subprocess } from "bun";
import { traceVariable } from "../base/trace";

/** How this executable is called again: as itself when it is compiled, else by the interpreter. */
function self(): string[] {
  return Bun.main.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, Bun.main];
}

/** What a process in the background has as standard input, output and error: nothing, or three descriptors. */
export type BackgroundStdio = "ignore" | readonly [number, number, number];

/** A process in the background, and the descriptor of this end of the socket that it has as descriptor 3. */
export interface Background {
  process: Subprocess;
  socket: number;
}

/**
 * Starts a command of this executable in the background: in a session of its own, at the root directory, with no descriptor of the
 * caller's but those given. It lives on when the caller ends.
 */
export function startBackground(args: readonly string[], stdio: BackgroundStdio = "ignore"): Background {
  const [stdin, stdout, stderr] = stdio === "ignore" ? (["ignore", "ignore", "ignore"] as const) : stdio;
  const process = Bun.spawn([...self(), ...args], {
    stdio: [stdin, stdout, stderr, "pipe"],
    detached: true,
    cwd: "/",
    env: environment(),
  });
  process.unref();
  return { process, socket: process.stdio[3] as unknown as number };
}

/**
 * JavaScriptCore's helper threads cost memory in each of the many processes that mostly wait: a megabyte of private memory
 * for a monitor and its shim together (docs/dependencies.md).
 */
const singleThreaded = {
  BUN_JSC_useConcurrentJIT: "0",
  BUN_JSC_useConcurrentGC: "0",
  BUN_JSC_numberOfGCMarkers: "1",
};

/** What a shim reads and writes may stand still, each stream by itself: Bun's pool has as many threads as there are processors. */
const threads = { UV_THREADPOOL_SIZE: "4" };

/** Clients call runtimes with or without a PATH; what is started in the background has one. */
function environment(): Record<string, string> {
  const { PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME = "/" } = process.env;
  const { [traceVariable]: trace } = process.env;
  return { PATH, HOME, ...singleThreaded, ...threads, ...(trace && { [traceVariable]: trace }) };
}
