/** The last steps of every process of a container, from its own root to execve(2). */
import { RunvError } from "../../base/error";
import { commandErrnoText, errnoOf } from "../../linux/errno";
import { capabilityMask } from "../../oci/capabilities";
import type { Process } from "../../oci/process";
import type { Assembler, Register, SyscallOptions } from "../../program/assembler";
import { findCommand } from "./command";
import { lowerCapabilities, lowerCredentials } from "./credentials";
import { failing } from "./failing";
import { type HookPlan, lowerHooks } from "./hooks";
import { lowerMemoryPolicy, lowerPersonality } from "./scheduling";
import type { SeccompFilter } from "./seccomp/compile";
import { loadSeccomp } from "./seccomp/load";
import type { SharedSettings } from "./settings";

/** What a process has beside its `process` object. */
export interface ProcessOptions {
  /** Waits between finding the command and executing it, as `create` and `start` do. */
  wait?: () => void;
  /** Hooks to run right before it begins. */
  hooks?: HookPlan;
  /** What it shares with the container's other processes. */
  settings: SharedSettings;
  /** Paths at which its command is known not to be. */
  absent?: ReadonlySet<string> | undefined;
}

/** Changes user and directory, finds the command, waits for GO if it is to, and becomes the command. */
export function lowerProcess(p: Assembler, process: Process, { wait, hooks, settings, absent }: ProcessOptions): void {
  p.doing(`set the umask ${(process.user.umask ?? 0o22).toString(8)}`);
  p.syscall("umask", [process.user.umask ?? 0o22]);
  lowerPersonality(p, settings.personality);
  lowerMemoryPolicy(p, settings.memoryPolicy);
  const { seccomp } = settings;
  const keep = seccomp === undefined ? 0n : capabilitiesToFilter(process);
  // As runc: what root may enter or else what the user may.
  const entered = lowerDirectory(p, process, p.register(), { accept: ["EACCES", "EPERM"] });
  lowerCredentials(p, process, keep);
  const there = p.label();
  p.jumpIf(entered, "=", 0, there);
  lowerDirectory(p, process, entered);
  p.place(there);
  p.release(entered);
  requireReachable(p, process);
  const command = findCommand(p, process, absent);
  wait?.();
  const confine = () => {
    if (seccomp !== undefined) lowerSeccomp(p, process, seccomp, keep);
  };
  if (hooks !== undefined) lowerHooks(p, hooks, confine);
  confine();
  const execve = `${failing}: exec ${process.args[0]}`;
  refuseTooMuch(process, execve);
  p.doing(execve, { command: true });
  p.syscall("execve", [command, p.vector(process.args), p.vector(process.env)]);
}

function lowerDirectory(p: Assembler, { cwd }: Process, into: Register, options: SyscallOptions = {}): Register {
  p.doing(`${failing}: chdir to cwd (${JSON.stringify(cwd)}) set in config.json failed`, { command: true });
  p.syscall("chdir", [p.text(cwd)], { ...options, into });
  return into;
}

/** What getcwd(2) says begins with a slash where the directory is below the process's root; a way out of it may be one of its descriptors (CVE-2024-21626). */
function requireReachable(p: Assembler, { cwd }: Process): void {
  const [path, within] = [p.zeroed(pathMax), p.label()];
  p.syscall("getcwd", [path, pathMax]);
  const first = p.load(path, 1);
  p.jumpIf(first, "=", "/".charCodeAt(0), within);
  const what = `${failing}: chdir to cwd (${JSON.stringify(cwd)}) set in config.json failed: the directory is outside of the container`;
  p.doing(what, { complete: true });
  p.fail(errnoOf("EXDEV"));
  p.place(within);
  p.release(first);
}

/** limits.h; getcwd(2) gives no more. */
const pathMax = 4096;

/** Without no_new_privs only CAP_SYS_ADMIN may put a filter on a process: it is kept until then where it is not its own. */
function capabilitiesToFilter({ noNewPrivileges, capabilities }: Process): bigint {
  if (noNewPrivileges || capabilities?.effective?.includes("CAP_SYS_ADMIN")) return 0n;
  return capabilityMask(["CAP_SYS_ADMIN"]);
}

/** The filter comes last, so that it needs to allow capset(2) and execve(2) at most. */
function lowerSeccomp(p: Assembler, { capabilities = {} }: Process, filter: SeccompFilter, keep: bigint): void {
  if (keep !== 0n) lowerCapabilities(p, capabilities, { permitted: keep, effective: keep });
  loadSeccomp(p, filter);
  if (keep !== 0n) lowerCapabilities(p, capabilities);
}

/** What arguments and environment may take, each with its pointer, whatever the limit of the stack: 3/4 of the usual one (execve(2)). */
const mostWords = 6 << 20;

/** Of more the guest's kernel would say the same. @throws RunvError COMMAND_FAILED */
function refuseTooMuch({ args, env }: Process, what: string): void {
  let size = 0;
  for (const word of [...args, ...env]) size += Buffer.byteLength(word) + 1 + 8;
  if (size <= mostWords) return;
  throw new RunvError("COMMAND_FAILED", `${what}: ${commandErrnoText(errnoOf("E2BIG"))}`);
}
