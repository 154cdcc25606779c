/** Xen's tools, run to their end. */
import { messageOf } from "../../base/error";
import { findProgram } from "../programs";
import { refused } from "./failure";

/** How long a command may take. One that hangs is rare; on a machine that is itself emulated, one that is slow is not. */
const timeoutMs = 600_000;

/** Runs `xl`. @returns what it wrote to standard output @throws RunvError VM_XEN_REFUSED */
export async function xl(...args: string[]): Promise<string> {
  return await run("xl", ...args);
}

/** Where a program is; or what is not found when it is started. */
export function find(name: string): string {
  return findProgram(name) ?? name;
}

/** The same of another program of Xen's. @throws RunvError VM_XEN_REFUSED */
export async function run(name: string, ...args: string[]): Promise<string> {
  const doing = `${name} ${args[0]}`;
  let child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  try {
    child = Bun.spawn([find(name), ...args], { stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs });
  } catch (error) {
    throw refused(doing, messageOf(error));
  }
  const [output, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code === 0) return output;
  if (child.signalCode === null) throw refused(doing, errors.trim() || `exit code ${code}`);
  throw refused(doing, `${errors}not done after ${timeoutMs / 1000} s`);
}
