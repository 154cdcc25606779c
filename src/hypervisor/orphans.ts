/**
 * Machines that are no children of the process that started them, as libvirt's and Xen's are: their drivers end them when that process
 * dies, and note here where they are, so that they can be found should that fail too.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { DriverOptions } from "./driver";

const file = "machine.json";

interface Note {
  driver: string;
  /** That of its `MachineSpec`. */
  name: string;
  options: DriverOptions;
}

/** Notes a machine, before it is started. @param directory the sandbox's */
export function noteMachine(directory: string, note: Note): void {
  writeFileSync(`${directory}/${file}`, `${JSON.stringify(note)}\n`, { mode: 0o600 });
}

/**
 * Ends the machine that was noted in a sandbox's directory, if it is still there. Its monitor must be dead.
 * @throws RunvError when it cannot be ended
 */
export async function endOrphan(directory: string): Promise<void> {
  const note = readNote(`${directory}/${file}`);
  if (note === undefined) return;
  const { chooseDriver } = await import("./index");
  const driver = await chooseDriver(note.driver, note.options);
  await driver.endOrphan?.(note.name);
}

function readNote(path: string): Note | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  try {
    const note: Partial<Note> | null = JSON.parse(text);
    return typeof note?.driver === "string" && typeof note.name === "string" ? (note as Note) : undefined;
  } catch {
    // Its writer was killed over it, before it started anything.
    return undefined;
  }
}
