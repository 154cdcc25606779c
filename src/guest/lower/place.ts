/** The cgroup and the namespaces of a container's first process, which begins in those that it was cloned into. */
import {
  AT_FDCWD,
  CLONE_NEWNET,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_PARENT,
  O_CLOEXEC,
  O_RDONLY,
} from "../../linux/constants";
import { SIGCHLD } from "../../linux/signals";
import type { Config } from "../../oci/config";
import { Assembler, Pidfd } from "../../program/assembler";
import { close } from "../../program/files";
import type { Program } from "../../program/program";
import type { Ground } from "./ground";
import type { NamespacePlan } from "./namespaces";
import { argument, lowerEarlyLimits, lowerOuter, self } from "./outer";

/** Brings the process to its cgroup and into its namespaces. @returns the program for what it cannot do itself */
export function lowerPlace(
  p: Assembler,
  ground: Ground,
  config: Config,
  namespaces: NamespacePlan,
): Program | undefined {
  if (namespaces.network !== 0) {
    p.doing("enter the container's network namespace");
    p.syscall("setns", [new Pidfd(namespaces.network), CLONE_NEWNET]);
  }
  if (namespaces.time) {
    p.doing("make a time namespace");
    p.syscall("unshare", [CLONE_NEWTIME]);
  }
  let outer: Program | undefined;
  if (namespaces.user || ground.waitsAtBirth) p.stop();
  if (namespaces.user) {
    const root = new Assembler();
    const target = argument(root);
    lowerOuter(root, ground, config, target);
    lowerEarlyLimits(root, ground, config.process, target);
    outer = root.assemble();
  } else lowerOuter(p, ground, config, self(p));
  if (namespaces.userOf !== 0) lowerEarlyLimits(p, ground, config.process, self(p));
  if (namespaces.time) {
    p.doing("enter the time namespace");
    const file = p.value("openat", [AT_FDCWD, p.text("/proc/self/ns/time_for_children"), O_RDONLY | O_CLOEXEC]);
    p.syscall("setns", [file, CLONE_NEWTIME]);
    close(p, file);
  }
  for (const [handle, flags] of namespaces.joins) {
    p.doing("join the namespaces of another container");
    p.syscall("setns", [new Pidfd(handle), flags]);
  }
  if (namespaces.userOf !== 0) enterUserNamespace(p, namespaces);
  return outer;
}

/**
 * Enters a user namespace, and has a child that is born in others which this one owns go on in its place: init in a new pid namespace is
 * who is born first in it. The child waits until the place is its own, for what comes of it is told only then.
 */
function enterUserNamespace(p: Assembler, { userOf, pid, owned }: NamespacePlan): void {
  p.doing("join the user namespace of another container");
  // Of the pid namespace only the child is born in it.
  if (pid !== 0) p.syscall("setns", [new Pidfd(pid), CLONE_NEWPID]);
  p.syscall("setns", [new Pidfd(userOf), CLONE_NEWUSER]);
  p.doing("make namespaces in the user namespace of another container");
  p.syscall("unshare", [owned]);
  const [ends, byte] = [p.zeroed(8), p.zeroed(8)];
  p.syscall("pipe2", [ends, O_CLOEXEC]);
  const [reading, writing] = [p.load(ends, 4), p.load(ends.plus(4), 4)];
  const [child, alone] = [p.label(), p.label()];
  const successor = p.value("clone", [CLONE_PARENT | SIGCHLD, 0, 0, 0, 0]);
  p.jumpIf(successor, "=", 0, child);
  p.syscall("write", [writing, byte, 1]);
  p.succeed(successor);
  p.place(child);
  close(p, writing);
  const told = p.value("read", [reading, byte, 1]);
  p.jumpIf(told, "≠", 0, alone);
  p.syscall("exit_group", [1]);
  p.place(alone);
  p.syscall("read", [reading, byte, 1]);
  close(p, reading);
  p.release(successor, told);
}
