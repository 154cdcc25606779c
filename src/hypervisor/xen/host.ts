/** What this machine has of Xen: files are looked at, nothing is run. */
import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { messageOf, RunvError } from "../../base/error";
import type { Problem } from "../driver";
import { findProgram } from "../programs";

/** The kernel and its devices: paravirtual altogether, or with the processor's help and no emulated device. */
export type DomainType = "pv" | "pvh";

export const installHint = "apt-get install xen-system-amd64 qemu-system-xen";
export const daemonsHint = "systemctl start xenstored xenconsoled";
/** The oldest version that is supported. */
const oldest = "4.14";

/** What is looked at; tests put their own. */
export interface XenSources {
  /** The content of a file. @throws when there is none */
  read(path: string): string;
  /** Whether a device may be opened. @throws the error of the call that failed */
  access(path: string): void;
  /** The path of a program; undefined when there is none. */
  find(program: string): string | undefined;
  /** The names of the processes that run. */
  processes(): ReadonlySet<string>;
}

const thisMachine: XenSources = {
  read: (path) => readFileSync(path, "utf8"),
  access: (path) => accessSync(path, constants.R_OK | constants.W_OK),
  find: findProgram,
  processes,
};

/** The hypervisor's version, as "4.17"; undefined where it does not tell. */
export function xenVersion({ read }: Pick<XenSources, "read"> = thisMachine): string | undefined {
  const part = (name: string) => attempt(() => read(`/sys/hypervisor/version/${name}`).trim());
  const [major, minor] = [part("major"), part("minor")];
  return major === undefined || minor === undefined ? undefined : `${major}.${minor}`;
}

/** Whether this is the domain that starts others: dom0. */
export function isFirstDomain({ read }: Pick<XenSources, "read"> = thisMachine): boolean {
  const text = (path: string) => attempt(() => read(path).trim());
  return text("/sys/hypervisor/type") === "xen" && text("/proc/xen/capabilities")?.includes("control_d") !== false;
}

/** Why Xen cannot run domains of a type here; undefined if it can. */
export function xenProblem(type: DomainType, sources: XenSources = thisMachine): Problem | undefined {
  return hypervisorProblem(type, sources) ?? toolsProblem(sources) ?? deviceProblem(sources) ?? daemonProblem(sources);
}

function hypervisorProblem(type: DomainType, sources: XenSources): Problem | undefined {
  const read = (path: string) => attempt(() => sources.read(path).trim());
  if (read("/sys/hypervisor/type") !== "xen") {
    return { message: "this machine does not run on Xen", fix: `${installHint}, then boot the machine with Xen` };
  }
  if (read("/proc/xen/capabilities")?.includes("control_d") === false) {
    return { message: "this is a guest of Xen's, not its first domain (dom0)", fix: "call runv in dom0" };
  }
  const version = xenVersion(sources);
  if (version !== undefined && !atLeast(version, oldest)) {
    return { message: `this is Xen ${version}, runv needs ${oldest} or later`, fix: installHint };
  }
  if (type === "pvh" && read("/sys/hypervisor/properties/capabilities")?.includes("hvm-") === false) {
    const message = "the processor has no virtualization for PVH domains, or its firmware has it off";
    return { message, fix: "--driver xen" };
  }
  return undefined;
}

function toolsProblem({ find }: XenSources): Problem | undefined {
  return find("xl") === undefined ? { message: "there is no xl on PATH", fix: installHint } : undefined;
}

function deviceProblem({ access }: XenSources): Problem | undefined {
  const device = "/dev/xen/privcmd";
  try {
    access(device);
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return { message: `there is no ${device}`, fix: "modprobe -a xen-privcmd xen-evtchn xen-gntdev xen-gntalloc" };
    }
    return { message: `${device} may not be opened: ${messageOf(error)}`, fix: "run as root" };
  }
}

function daemonProblem(sources: XenSources): Problem | undefined {
  const running = sources.processes();
  if (!running.has("xenstored") && !running.has("oxenstored")) {
    return { message: "xenstored does not run", fix: daemonsHint };
  }
  // Without it a guest's kernel waits for ever until somebody has read its first words.
  if (!running.has("xenconsoled")) return { message: "xenconsoled does not run", fix: daemonsHint };
  return undefined;
}

/** The error that says why a driver cannot be used. */
export function unavailable(driver: string, { message, fix }: Problem): RunvError {
  return new RunvError("VM_DRIVER_UNAVAILABLE", `the driver ${driver} does not work on this machine: ${message}`, {
    hint: fix ?? "use --driver auto, or see runv check",
  });
}

function processes(): ReadonlySet<string> {
  const pids = readdirSync("/proc").filter((name) => /^\d/.test(name));
  return new Set(pids.map((pid) => attempt(() => readFileSync(`/proc/${pid}/comm`, "utf8").trim()) ?? ""));
}

function atLeast(version: string, wanted: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [wantMajor = 0, wantMinor = 0] = wanted.split(".").map(Number);
  return major > wantMajor || (major === wantMajor && minor >= wantMinor);
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
