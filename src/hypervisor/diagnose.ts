/** Finds out which stage of a machine's start failed. */
import { RunvError } from "../base/error";
import type { MachineExit } from "./driver";

/** What is known of a machine whose agent has not said hello. */
export interface Evidence {
  /** The hypervisor's name, for messages. */
  hypervisor: string;
  waitedMs: number;
  /** How the hypervisor ended, if it did. */
  exit: MachineExit | undefined;
  /** The hypervisor's word for the machine's state; undefined when it does not answer. */
  status: string | undefined;
  /** Whether the guest opened the agent's channel; undefined where that cannot be known. */
  portOpen: boolean | undefined;
  /** The console's last lines, without control characters. */
  console: readonly string[];
}

const shown = 8;
const panic = /Kernel panic - not syncing: ?(.*)/;
/** Panics that mean that the initrd has no init that this kernel can run. */
const noInit = /unable to mount root|no working init|Requested init|VFS: Cannot open root device|Failed to execute/i;
const rebuild = "make kernel and initrd that fit each other: runv image build";

/** The error that names the stage, with the console's last lines as evidence. */
export function diagnose(evidence: Evidence): RunvError {
  const { hypervisor, exit, status, portOpen, console } = evidence;
  const waited = `within ${(evidence.waitedMs / 1000).toFixed(1).replace(/\.0$/, "")} s`;
  const panicked = console.findLastIndex((line) => panic.test(line));
  // What led to a panic is above it; below it is where in the kernel that was.
  const lines = console.slice(0, panicked < 0 ? undefined : panicked + 1).slice(-shown);
  const error = (code: string, message: string, hint?: string) =>
    new RunvError(code, `${message}${quoteConsole(lines)}`, hint === undefined ? {} : { hint });

  if (panicked >= 0) {
    const why = panic.exec(console[panicked]!)?.[1] ?? "";
    if (noInit.test(console.join("\n")))
      return error("VM_IMAGE_WRONG", `the guest's kernel found no init: ${why}`, rebuild);
    return error("VM_KERNEL_PANIC", `the guest's kernel panicked: ${why}`);
  }
  const agentLine = console.findLast((line) => /runv-init: /.test(line));
  if (exit !== undefined) {
    const words = exit.stderr === "" ? "" : `: ${exit.stderr}`;
    if (agentLine !== undefined) return error("VM_AGENT_FAILED", "the guest's agent ended", rebuild);
    if (exit.signal === null && !exit.code && console.length === 0) {
      const hint = "give the machine more memory, or take another kernel";
      return error("VM_KERNEL_SILENT", "the guest's kernel reset the machine before it said anything", hint);
    }
    return error("VM_DIED", `${whatEnded(hypervisor, exit)}${words}`);
  }
  if (status === undefined) return error("VM_STALLED", `${hypervisor} does not answer any more`);
  if (status !== "running") return error("VM_STALLED", `the machine does not run: ${hypervisor} says "${status}"`);
  if (agentLine !== undefined) return error("VM_AGENT_FAILED", `the guest's agent could not start ${waited}`, rebuild);
  if (portOpen === true)
    return error("VM_AGENT_SILENT", `the guest's agent opened its channel and said nothing ${waited}`);
  if (console.length === 0) {
    const hint = "is it a kernel for this architecture that boots under this hypervisor? runv check";
    return error("VM_KERNEL_SILENT", `the guest's kernel said nothing ${waited}`, hint);
  }
  return error("VM_AGENT_SILENT", `the guest's kernel runs, but its agent did not answer ${waited}`, rebuild);
}

function whatEnded(hypervisor: string, { code, signal }: MachineExit): string {
  if (code === null && signal === null) return "the machine ended while the guest was starting";
  return `${hypervisor} ended while the guest was starting (${signal ?? `exit code ${code}`})`;
}

function quoteConsole(lines: readonly string[]): string {
  return lines.length === 0 ? "" : `; the console's last lines:\n${lines.map((line) => `    ${line}`).join("\n")}`;
}
