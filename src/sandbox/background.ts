import { readFileSync } from "node:fs";
import type { Subprocess } from "bun";
import { commandVariable } from "../base/own-command";
import { traceVariable } from "../base/trace";

const isCompiled = Bun.main.startsWith("/$bunfs/");

/** The most that is shown of a command line, in words and characters of each. */
const [mostWords, mostCharacters] = [64, 1024];

/** What a process in the background has as standard input, output and error: nothing, or three descriptors. */
export type BackgroundStdio = "ignore" | readonly [number | "ignore", number, number];

/** A process in the background, and the descriptor of this end of the socket that it has as descriptor 3. */
export interface Background {
  process: Subprocess;
  socket: number;
}

/**
 * Starts a command of this executable in the background: in a session of its own, at the root directory, with no descriptor of the
 * caller's but those given. It lives on when the caller ends.
 * @param command the command, whose words have no spaces
 * @param shown what ps(1) shows as its command line; `runningCommand` tells what it is
 */
export function startBackground(
  command: readonly string[],
  stdio: BackgroundStdio = "ignore",
  shown: readonly string[] = [process.execPath, ...command],
): Background {
  const [stdin, stdout, stderr] = stdio === "ignore" ? (["ignore", "ignore", "ignore"] as const) : stdio;
  const child = Bun.spawn({
    ...calledWith(command, shown),
    stdio: [stdin, stdout, stderr, "pipe"],
    detached: true,
    cwd: "/",
  });
  child.unref();
  return { process: child, socket: child.stdio[3] as unknown as number };
}

/** How this executable is called again: as itself when it is compiled, else by the interpreter, which shows what it is itself. */
function calledWith(command: readonly string[], shown: readonly string[]) {
  const { execPath } = process;
  const [argv0 = execPath, ...more] = short(shown);
  const env = { ...environment(), [commandVariable]: command.join(" ") };
  return isCompiled ? { cmd: [execPath, ...more], argv0, env } : { cmd: [execPath, Bun.main], env };
}

/** The command of a process that `startBackground` started; undefined of all others. */
export function runningCommand(pid: number): string | undefined {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return variables.find((line) => line.startsWith(`${commandVariable}=`))?.slice(commandVariable.length + 1);
  } catch {
    return undefined;
  }
}

/** Words that the kernel takes as arguments in any case (execve(2)). */
function short(words: readonly string[]): string[] {
  return words.slice(0, mostWords).map((word) => word.slice(0, mostCharacters));
}

/**
 * JavaScriptCore's helper threads cost memory in each of the many processes that mostly wait: a megabyte of private memory
 * for a monitor and its shim together.
 */
const singleThreaded = {
  BUN_JSC_useConcurrentJIT: "0",
  BUN_JSC_useConcurrentGC: "0",
  BUN_JSC_numberOfGCMarkers: "1",
};

/**
 * Most of what these processes run is run a few dozen times and never again. It is compiled when it has been run four times as often as
 * JavaScriptCore waits for, which is soon enough for streams: 4 to 8 ms less of a monitor's 50 ms of processor time for one container.
 */
const patient = {
  BUN_JSC_thresholdForJITAfterWarmUp: "2000",
  BUN_JSC_thresholdForOptimizeAfterWarmUp: "5000",
};

/** What a shim reads and writes may stand still, each stream by itself: Bun's pool has as many threads as there are processors. */
const threads = { UV_THREADPOOL_SIZE: "4" };

/** Clients call runtimes with or without a PATH; what is started in the background has one. */
function environment(): Record<string, string> {
  const { PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME = "/" } = process.env;
  const { [traceVariable]: trace } = process.env;
  return { PATH, HOME, ...singleThreaded, ...patient, ...threads, ...(trace && { [traceVariable]: trace }) };
}
