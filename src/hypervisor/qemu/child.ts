/** QEMU as a child of this process. */
import { closeSync } from "node:fs";
import type { Program } from "../../program/program";
import type { MachineExit } from "../driver";
import { lastWords } from "../last-words";
import { spawnProgram } from "../spawn-program";

/** The descriptors by which QEMU knows what it inherits. */
export const inherited = {
  qmp: 3,
  agent: 4,
  console: 5,
  tap: 6,
  vhost: 7,
  preload: 8,
  share: 9,
  memory: 10,
  listener: 11,
  server: 12,
  program: 13,
} as const;

/** What QEMU inherits of its parent's. */
export interface OwnDescriptors {
  console: number;
  preload?: number | undefined;
  tap?: number | undefined;
  vhost?: number | undefined;
  share?: number | undefined;
  memory?: number | undefined;
  listener?: number | undefined;
  server?: number | undefined;
}

export interface Child {
  pid: number;
  /** This process's ends of the two sockets. */
  qmp: number;
  agent: number;
  exited: Promise<MachineExit>;
  /** See `Machine.settled`. */
  settled?: Promise<void>;
  /** Of one that was forked: this process's end of the socket over which it is asked for branches. */
  forks?: number;
  /** Its number of the socket that ties it to its monitor. */
  life?: number;
  /** Sends SIGKILL; nothing happens when it has gone. */
  kill(): void;
}

/**
 * Runs a program of system calls, which becomes QEMU, with the descriptors of `inherited`. The sockets are made by `Bun.spawn`: nobody else can connect to them,
 * and there is no path that could be too long, be left behind or not be there yet.
 * @param program what `init --exec` runs
 * @param own descriptors of the caller's, who closes them: where the console is written to, what the first network interface has, what is to be
 * loaded before its libraries, a connection to the server of its share, its memory, the socket over which others are forked from it, and the
 * other end of that connection, where what is loaded is the server
 * @throws what spawning throws, ENOENT and so on
 */
export function startChild(program: Program, { console, ...own }: OwnDescriptors): Child {
  const more = [own.tap, own.vhost, own.preload, own.share, own.memory, own.listener, own.server].map(
    (fd) => fd ?? ("ignore" as const),
  );
  const child = spawnProgram(program, ["ignore", "ignore", "pipe", "pipe", "pipe", console, ...more]);
  const [, , , qmp, agent] = child.stdio as readonly unknown[] as number[];
  const stderr = lastWords(child.stderr);
  const exited = child.exited.then(async () => ({
    code: child.exitCode,
    signal: child.signalCode === null ? null : String(child.signalCode),
    stderr: await stderr,
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
