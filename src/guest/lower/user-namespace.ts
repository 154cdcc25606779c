import type { Assembler } from "../../program/assembler";

/** Has a process that entered a user namespace, as nobody yet, be its root, with all capabilities in it. */
export function becomeRoot(p: Assembler): void {
  p.doing("become root of the user namespace");
  p.syscall("setgroups", [0, 0]);
  p.syscall("setresgid", [0, 0, 0]);
  p.syscall("setresuid", [0, 0, 0]);
}
