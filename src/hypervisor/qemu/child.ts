/** QEMU as a child of this process. */
import { closeSync } from "node:fs";
import { escapeControls } from "../../base/escape";
import type { MachineExit } from "../driver";

/** The descriptors by which QEMU knows what it inherits. */
export const inherited = { qmp: 3, agent: 4, console: 5, program: 6 } as const;

export interface Child {
  pid: number;
  /** This process's ends of the two sockets. */
  qmp: number;
  agent: number;
  exited: Promise<MachineExit>;
  /** Sends SIGKILL; nothing happens when it has gone. */
  kill(): void;
}

/** How much is kept of what QEMU writes on standard error. */
const stderrKept = 8192;

/**
 * Starts a program with the descriptors of `inherited`. The sockets are made by `Bun.spawn`: nobody else can connect to them,
 * and there is no path that could be too long, be left behind or not be there yet.
 * @param command the program and its arguments
 * @param consoleLog the console's log, and
 * @param program what `init --exec` runs; both descriptors are the caller's
 * @throws what spawning throws, ENOENT and so on
 */
export function startChild(command: string[], consoleLog: number, program: number | undefined): Child {
  const child = Bun.spawn(command, {
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe", consoleLog, ...(program === undefined ? [] : [program])],
    env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    cwd: "/",
  });
  const [, , , qmp, agent] = child.stdio as readonly unknown[] as number[];
  const stderr = tail(child.stderr);
  const exited = child.exited.then(async () => ({
    code: child.exitCode,
    signal: child.signalCode === null ? null : String(child.signalCode),
    stderr: escapeControls(await stderr).trim(),
  }));
  return { pid: child.pid, qmp: qmp!, agent: agent!, exited, kill: () => child.kill("SIGKILL") };
}

/** Closes a descriptor that may be closed already. */
export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // It was closed.
  }
}

async function tail(stream: ReadableStream<Uint8Array>): Promise<string> {
  let kept = Buffer.alloc(0);
  try {
    for await (const chunk of stream) kept = Buffer.concat([kept, chunk]).subarray(-stderrKept);
  } catch {
    // What came until then has to do.
  }
  return kept.toString("utf8");
}
