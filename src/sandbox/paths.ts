import { constants, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { randomHex } from "../base/random";

/** The name of a monitor's own log. */
export const monitorLog = "monitor.log";

/** Where the sandboxes of a root are; containers' ids do not begin with a dot. */
const sandboxes = ".sandboxes";

/** The directory of a sandbox. */
export function sandboxDirectory(root: string, sandbox: string): string {
  return `${root}/${sandboxes}/${sandbox}`;
}

/** An id for a new sandbox: short, for a socket's path has at most 107 bytes. */
export function newSandbox(): string {
  return randomHex(6);
}

/** Makes the directory in which those of sandboxes are. */
export function makeSandboxes(root: string): void {
  mkdirSync(`${root}/${sandboxes}`, { recursive: true, mode: 0o700 });
}

/** Makes the directory of a sandbox. */
export function makeSandbox(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
}

/**
 * Removes a sandbox's directory, once nothing runs in it: files, sockets, and the empty mount point of its share. Nothing below
 * is followed. One that is gone already is fine.
 */
export function removeSandbox(directory: string): void {
  for (const entry of list(directory)) {
    const path = `${directory}/${entry.name}`;
    ignoreMissing(() => (entry.isDirectory() ? rmdirSync(path) : unlinkSync(path)));
  }
  ignoreMissing(() => rmdirSync(directory));
}

const longestSocketPath = 107;

/**
 * The address of a sandbox's control socket: its path or, when that is too long for a socket (unix(7)), the same by way of an
 * open directory, which stays open as long as this process lives.
 */
export function controlSocket(directory: string): string {
  const path = `${directory}/control`;
  if (Buffer.byteLength(path) <= longestSocketPath) return path;
  return `/proc/self/fd/${openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)}/control`;
}

function list(directory: string) {
  return ignoreMissing(() => readdirSync(directory, { withFileTypes: true })) ?? [];
}

function ignoreMissing<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
