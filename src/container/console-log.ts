import { closeSync, openSync, readSync, watch } from "node:fs";
import { RunvError } from "../base/error";
import { escapeControls } from "../base/escape";
import { print } from "../base/output";
import type { ConsoleOptions } from "./options";
import { openContainer } from "./record/open";
import { containerDirectory } from "./record/store";

/** `runv console`. @returns the exit code */
export async function showConsole({ global, id, follow }: ConsoleOptions): Promise<number> {
  openContainer(global.root, id);
  const path = `${containerDirectory(global.root, id)}/console.log`;
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (cause) {
    throw new RunvError("CONSOLE_MISSING", `read the console of ${id}: there is none`, { cause });
  }
  try {
    printRest(fd);
    if (follow) await followFile(path, fd, () => openContainer(global.root, id).status === "stopped");
  } finally {
    closeSync(fd);
  }
  return 0;
}

/** Prints what comes, until the machine has ended. */
async function followFile(path: string, fd: number, ended: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const check = () => {
    printRest(fd);
    if (isOver(ended)) resolve();
  };
  const watcher = watch(path, check);
  // The machine's end changes nothing in the file, so it is looked for as well.
  const timer = setInterval(check, 500);
  await promise;
  clearInterval(timer);
  watcher.close();
}

function isOver(ended: () => boolean): boolean {
  try {
    return ended();
  } catch {
    return true;
  }
}

function printRest(fd: number): void {
  const buffer = Buffer.alloc(64 << 10);
  for (;;) {
    const length = readSync(fd, buffer, 0, buffer.length, null);
    if (length === 0) return;
    print(escapeControls(buffer.toString("utf8", 0, length).replaceAll("\r", "")));
  }
}
