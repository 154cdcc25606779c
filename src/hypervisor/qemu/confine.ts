/**
 * The program that turns `runv-init --exec` into QEMU: a process that dies with its monitor, in a file system of its own, under
 * a user id of its own, with the six capabilities that serving files for other users takes, or the one that opening its own takes, and no
 * way to get more.
 */
import { loadSeccomp } from "../../guest/lower/seccomp/load";
import { PR_SET_THP_DISABLE } from "../../linux/constants";
import { Assembler } from "../../program/assembler";
import type { Program } from "../../program/program";
import { dropPrivileges, makeJail, setLimits, tie, toOpen, toServe } from "../confinement";
import type { JailEntry } from "../jail";
import { inherited } from "./child";
import { reachFilter } from "./sandbox-filter";

export interface Confinement {
  /** The process with which QEMU dies: the parent. */
  parent: number;
  /** A directory to put the jail on. What is in it stays as it is for everybody else. */
  directory: string;
  entries: readonly JailEntry[];
  /** It is given no huge pages. */
  smallPages: boolean;
  /** QEMU, as it is called in the jail. */
  command: readonly string[];
  /** Whether it serves files of all users to its guest. */
  servesFiles: boolean;
  /** Its network is QEMU's own router, which makes sockets. */
  hasRouter: boolean;
  /** Others are forked from it: it keeps its privileges, with which they set up theirs. */
  forks: boolean;
}

/** Writes the program. */
export function confine(confinement: Confinement): Program {
  const { parent, directory, entries, smallPages, command, servesFiles, hasRouter, forks } = confinement;
  const p = new Assembler();
  closeRest(p);
  makeJail(p, "qemu", directory, entries);
  setLimits(p, "qemu");
  if (smallPages) keepToSmallPages(p);
  if (!forks) dropPrivileges(p, "qemu", servesFiles ? toServe : toOpen);
  // After the change of ids, which undoes it.
  tie(p, "qemu", parent);
  if (!forks) loadSeccomp(p, reachFilter(hasRouter));
  p.doing(`execute ${command[0]}`);
  const environment = [`LD_PRELOAD=/proc/self/fd/${inherited.preload}`, ...(forks ? [noSequences] : [])];
  p.syscall("execve", [p.text(command[0]!), p.vector(command), p.vector(environment)]);
  return p.assemble();
}

/** glibc's threads are not registered for restartable sequences (rseq(2)): those of a process that is forked would not be. */
const noSequences = "GLIBC_TUNABLES=glibc.pthread.rseq=0";

function closeRest(p: Assembler): void {
  p.doing("close what qemu must not have");
  p.syscall("close_range", [inherited.program, 0x7fff_ffff, 0], { accept: ["ENOSYS"] });
}

/** What is touched for the first time is cleared: a huge page takes 500 times as long, and as much memory. */
function keepToSmallPages(p: Assembler): void {
  p.doing("keep qemu to small pages");
  p.syscall("prctl", [PR_SET_THP_DISABLE, 1, 0, 0, 0], { accept: ["EINVAL"] });
}
