/**
 * Hooks that run in the guest (config.md, "POSIX-platform Hooks"): startContainer hooks in the container, as its process is
 * about to begin; createContainer hooks before its root becomes /. The specification looks the latter up on the host, whose programs a
 * guest cannot run: they are looked up in the container's root file system, and refused when they are not there.
 */
import { MFD_CLOEXEC, O_CLOEXEC, O_PATH, O_RDWR, POLLIN } from "../../linux/constants";
import { errnoOf } from "../../linux/errno";
import { SIGKILL } from "../../linux/signals";
import type { Config } from "../../oci/config";
import { lastOfEach } from "../../oci/environment";
import type { Hook } from "../../oci/hooks";
import { findNamespace } from "../../oci/namespaces";
import { formatHookState, type Status } from "../../oci/state";
import type { Address, Assembler, Label, Register } from "../../program/assembler";
import { close } from "../../program/files";
import { openInRoot } from "./root";

const SIGCHLD = 17;
/** Added to a wait status when there is a core dump (wait(2)). */
const dumped = 128;

/** Hooks, and what they are told. */
export interface HookPlan {
  name: "createContainer" | "startContainer";
  hooks: readonly Hook[];
  /** The state, in JSON. */
  state: string;
}

/** The hooks of a container, with the state as they see it: in the container's pid namespace. */
export function hookPlan(name: HookPlan["name"], config: Config, id: string, bundle: string): HookPlan {
  const { ociVersion, annotations, hooks, linux } = config;
  const status: Status = name === "createContainer" ? "creating" : "created";
  const pid = findNamespace(linux.namespaces, "pid") === undefined ? {} : { pid: 1 };
  // As runc: one that is given no environment has that of the process which is about to begin.
  const { env } = config.process;
  const all = hooks[name].map((hook) => (name === "startContainer" && !hook.env?.length ? { ...hook, env } : hook));
  return { name, hooks: all, state: formatHookState({ ociVersion, id, status, bundle, annotations, ...pid }) };
}

/**
 * Runs hooks, one after the other, each in a process of its own, and fails when one fails.
 * @param enter what such a process does first
 */
export function lowerHooks(p: Assembler, { name, hooks, state }: HookPlan, enter: () => void): void {
  for (const [index, hook] of hooks.entries()) {
    const what = `error running ${name} hook #${index}: ${hook.path}`;
    p.doing(what);
    const stdin = p.value("memfd_create", [p.text("state"), MFD_CLOEXEC]);
    p.syscall("write", [stdin, p.text(state), Buffer.byteLength(state)]);
    p.syscall("lseek", [stdin, 0, 0]);
    const [child, ended] = [p.label(), p.label()];
    const pid = p.value("clone", [SIGCHLD, 0, 0, 0, 0]);
    p.jumpIf(pid, "=", 0, child);
    const at = waitFor(p, pid, hook.timeout, what);
    const status = p.load(at, 4);
    p.jumpIf(status, "=", 0, ended);
    failAs(p, what, at);
    p.place(child);
    becomeHook(p, hook, stdin, enter);
    p.place(ended);
    close(p, stdin);
    p.release(pid, status);
  }
}

/** Tells how a hook ended, by what wait(2) encodes: the code in one byte, or the signal in the other. */
function failAs(p: Assembler, what: string, status: Address): void {
  const [signalled, dumpedCore] = [p.label(), p.label()];
  const signal = p.load(status, 1);
  p.jumpIf(signal, "≠", 0, signalled);
  p.doing(what, { errno: "exit status", code: "HOOK_FAILED" });
  p.fail(p.load(status.plus(1), 1));
  p.place(signalled);
  p.doing(what, { errno: "signal", code: "HOOK_FAILED" });
  p.jumpIf(signal, "≥", dumped, dumpedCore);
  p.fail(signal);
  p.place(dumpedCore);
  p.fail(p.add(signal, -dumped));
}

/** Refuses hooks that are not in the container's root file system. */
export function requireHooks(p: Assembler, root: Register, { name, hooks }: HookPlan): void {
  for (const [index, { path }] of hooks.entries()) {
    const says = `${path} is not in the container's root file system, and a program of the host cannot run in the guest`;
    p.doing(`hooks.${name}[${index}].path: ${says}`, { complete: true, code: "CONFIG_UNSUPPORTED" });
    close(p, openInRoot(p, root, path, O_PATH));
  }
}

/** Waits for a child, which is killed when it takes too long. @returns where its wait status is */
function waitFor(p: Assembler, pid: Register, timeout: number | undefined, what: string): Address {
  const status = p.zeroed(8);
  const wait = () => p.syscall("wait4", [pid, status, 0, 0]);
  const ended = p.label();
  if (timeout !== undefined) {
    const pollfd = p.zeroed(8);
    const pidfd = p.value("pidfd_open", [pid, 0]);
    p.store(pollfd, pidfd, 4);
    p.store(pollfd.plus(4), POLLIN, 2);
    const time = p.bytes(new Uint8Array(new BigUint64Array([BigInt(timeout), 0n]).buffer));
    const ready = p.value("ppoll", [pollfd, 1, time, 0, 8]);
    close(p, pidfd);
    p.jumpIf(ready, "≠", 0, ended);
    p.syscall("kill", [pid, SIGKILL]);
    wait();
    p.doing(`${what}: not done after ${timeout} s`, { complete: true, code: "HOOK_FAILED" });
    p.fail(errnoOf("ETIMEDOUT"));
    p.release(ready);
  }
  p.place(ended);
  p.doing(what);
  wait();
  return status;
}

/** What the child does: it has the state on standard input, /dev/null for output, and the container's standard error. */
function becomeHook(p: Assembler, { path, args = [path], env = [] }: Hook, stdin: Register, enter: () => void): void {
  enter();
  const broken: Label = p.label();
  const anyway = { accept: "any", otherwise: broken } as const;
  const output = p.value("openat", [-1, p.text("/dev/null"), O_RDWR | O_CLOEXEC], anyway);
  p.syscall("dup3", [stdin, 0, 0], anyway);
  p.syscall("dup3", [output, 1, 0], anyway);
  p.syscall("execve", [p.text(path), p.vector(args), p.vector(lastOfEach(env))], anyway);
  p.place(broken);
  p.syscall("exit_group", [127]);
  p.release(output);
}
