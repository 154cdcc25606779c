/** The cgroup and the namespaces of a container's first process, which begins in those that it was cloned into. */
import { AT_FDCWD, CLONE_NEWNET, CLONE_NEWTIME, O_CLOEXEC, O_RDONLY } from "../../linux/constants";
import type { Config } from "../../oci/config";
import { Assembler, Pidfd } from "../../program/assembler";
import { close } from "../../program/files";
import type { Program } from "../../program/program";
import type { NamespacePlan } from "./namespaces";
import { argument, lowerEarlyLimits, lowerOuter, self } from "./outer";

/** Brings the process to its cgroup and into its namespaces. @returns the program for what it cannot do itself */
export function lowerPlace(p: Assembler, id: string, config: Config, namespaces: NamespacePlan): Program | undefined {
  if (namespaces.network !== 0) {
    p.doing("enter the container's network namespace");
    p.syscall("setns", [new Pidfd(namespaces.network), CLONE_NEWNET]);
  }
  if (namespaces.time) {
    p.doing("make a time namespace");
    p.syscall("unshare", [CLONE_NEWTIME]);
  }
  let outer: Program | undefined;
  if (namespaces.user) {
    p.stop();
    const root = new Assembler();
    const target = argument(root);
    lowerOuter(root, id, config, target);
    lowerEarlyLimits(root, config.process, target);
    outer = root.assemble();
  } else lowerOuter(p, id, config, self(p));
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
  return outer;
}
