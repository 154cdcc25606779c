/**
 * The program that turns `runv-init --exec` into lkvm: a process that dies with its monitor, in a file system of its own, without the
 * capabilities that serving files does not take, and by a filter without what root may do to others. It stays root: its 9p server makes
 * files its own, and never its users'.
 */
import { PR_SET_NO_NEW_PRIVS } from "../../linux/constants";
import { Assembler } from "../../program/assembler";
import type { Program } from "../../program/program";
import { dropCapabilities, makeJail, setLimits, tie, toServe } from "../confinement";
import type { JailEntry } from "../jail";
import { loadSignalFilter } from "./filter";

export interface Confinement {
  /** The process with which lkvm dies: the parent. */
  parent: number;
  /** A directory to put the jail on. What is in it stays as it is for everybody else. */
  directory: string;
  entries: readonly JailEntry[];
  /** The first descriptor that lkvm must not have. */
  closeFrom: number;
  /** lkvm, as it is called in the jail. */
  command: readonly string[];
}

/** Where lkvm has its control socket. */
export const home = "/home";

/** Writes the program. */
export function confine({ parent, directory, entries, closeFrom, command }: Confinement): Program {
  const p = new Assembler();
  p.doing("close what lkvm must not have");
  p.syscall("close_range", [closeFrom, 0x7fff_ffff, 0], { accept: ["ENOSYS"] });
  makeJail(p, "lkvm", directory, entries);
  setLimits(p, "lkvm");
  dropCapabilities(p, "lkvm", toServe);
  p.syscall("prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
  tie(p, "lkvm", parent);
  loadSignalFilter(p);
  p.doing(`execute ${command[0]}`);
  p.syscall("execve", [p.text(command[0]!), p.vector(command), p.vector([`HOME=${home}`])]);
  return p.assemble();
}
