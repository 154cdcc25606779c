/** What QEMU can do on this machine, and by which accelerator. */
import { RunvError } from "../../base/error";
import type { Architecture } from "../../linux/syscalls";
import type { Probe, Problem } from "../driver";
import { identifyQemu, type QemuBinary } from "./binary";
import { type KvmSources, kvmProblem } from "./kvm";
import type { Accelerator } from "./options";
import { formatVersion } from "./version";

/** The accelerator that is asked for: "auto" takes KVM when it truly works, else TCG. */
export type AcceleratorChoice = Accelerator | "auto";

export interface QemuOptions {
  /** The path of its program, if it is not to be looked for. */
  qemu?: string | undefined;
  /** The architecture of its guests, where that is not this machine's. */
  guests?: Architecture | undefined;
  /** Where to keep what is costly to find out. */
  cacheDirectory?: string | undefined;
}

export interface Choice {
  accelerator: Accelerator;
  /** Why this one, in words. */
  reason: string;
  /** Why it cannot be used. */
  problem?: Problem;
}

/** Decides by which accelerator machines run. */
export function chooseAccelerator(wanted: AcceleratorChoice, sources?: KvmSources): Choice {
  if (wanted === "tcg") return { accelerator: "tcg", reason: "software emulation was asked for" };
  const problem = kvmProblem(sources);
  if (problem === undefined) return { accelerator: "kvm", reason: "the processor and /dev/kvm support it" };
  if (wanted === "kvm") return { accelerator: "kvm", reason: "it was asked for", problem };
  return { accelerator: "tcg", reason: `no KVM: ${problem.message}` };
}

/** Finds QEMU and says what is missing, for `Driver.probe`. */
export async function probeQemu(wanted: AcceleratorChoice, options: QemuOptions): Promise<Probe> {
  const choice = chooseAccelerator(wanted);
  const problems: Problem[] = [];
  let binary: QemuBinary | undefined;
  try {
    binary = await identifyQemu(options.qemu, options.cacheDirectory, options.guests);
  } catch (error) {
    if (!(error instanceof RunvError)) throw error;
    problems.push({ message: error.message, ...(error.hint !== undefined && { fix: error.hint }) });
  }
  if (choice.problem !== undefined) problems.push(choice.problem);
  return {
    available: problems.length === 0,
    ...(binary && { binary: binary.path, version: formatVersion(binary.version) }),
    accelerator: choice.accelerator,
    reason: choice.reason,
    problems,
  };
}
