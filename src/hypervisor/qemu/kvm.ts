/**
 * Whether this machine's KVM can run a stock kernel. That /dev/kvm opens says little: a paravirtual KVM offers it on
 * processors without vmx and svm, makes virtual machines, and then lets kernels hang at their start without a word.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { messageOf } from "../../base/error";
import { syscall } from "../../linux/local";
import type { Problem } from "../driver";

/** linux/kvm.h */
const KVM_GET_API_VERSION = 0xae00;
const KVM_CREATE_VM = 0xae01;
const apiVersion = 12;

/** What is looked at; tests put their own. */
export interface KvmSources {
  arch: string;
  cpuinfo(): string;
  /** Opens /dev/kvm and makes a virtual machine with it. @throws the error of the call that failed */
  tryDevice(): void;
}

const machine: KvmSources = {
  arch: process.arch,
  cpuinfo: firstProcessor,
  tryDevice,
};

/** arm64's KVM is no module. */
const builtIn = "a kernel with KVM that is started at EL2: on hardware, or in a machine with nested virtualization";

let known: { problem: Problem | undefined } | undefined;

/** @returns why KVM cannot be used, or undefined if it can. This machine is looked at once */
export function kvmProblem(sources?: KvmSources): Problem | undefined {
  if (sources !== undefined) return findProblem(sources);
  known ??= { problem: findProblem(machine) };
  return known.problem;
}

function findProblem(sources: KvmSources): Problem | undefined {
  if (sources.arch === "x64" && !hasVirtualization(sources)) {
    return {
      message: "the processor offers neither vmx nor svm",
      fix: "enable virtualization in the firmware, or nested virtualization in the hypervisor that this machine runs on",
    };
  }
  try {
    sources.tryDevice();
    return undefined;
  } catch (error) {
    return deviceProblem(error, sources.arch);
  }
}

function hasVirtualization(sources: KvmSources): boolean {
  try {
    return /^flags\s*:.*\b(vmx|svm)\b/m.test(sources.cpuinfo());
  } catch {
    return false;
  }
}

function deviceProblem(error: unknown, arch: string): Problem {
  const { code } = error as { code?: string };
  if (code === "ENOENT" || code === "ENXIO" || code === "ENODEV") {
    return {
      message: "there is no /dev/kvm",
      fix: arch === "arm64" ? builtIn : "modprobe kvm_intel || modprobe kvm_amd",
    };
  }
  if (code === "EACCES" || code === "EPERM") {
    return { message: "/dev/kvm may not be opened", fix: "run as root, or join the group kvm" };
  }
  return { message: `/dev/kvm does not make a virtual machine: ${messageOf(error)}` };
}

/** The beginning of /proc/cpuinfo: the rest repeats it for each processor, at a cost. */
function firstProcessor(): string {
  const file = openSync("/proc/cpuinfo", "r");
  try {
    const buffer = Buffer.alloc(8192);
    return buffer.toString("latin1", 0, readSync(file, buffer));
  } finally {
    closeSync(file);
  }
}

function tryDevice(): void {
  const device = openSync("/dev/kvm", "r+");
  try {
    const version = syscall("ioctl", device, KVM_GET_API_VERSION, 0);
    if (version !== apiVersion) throw new Error(`it speaks version ${version} of its interface, not ${apiVersion}`);
    closeSync(syscall("ioctl", device, KVM_CREATE_VM, 0));
  } finally {
    closeSync(device);
  }
}
