/** The standard streams of a process: a terminal of the container's own, or pipes. */
import {
  AT_EMPTY_PATH,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  O_CLOEXEC,
  O_NOCTTY,
  O_RDWR,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  OPOST,
  TCGETS,
  TCSETS,
  TIOCGPTPEER,
  TIOCSCTTY,
  TIOCSPTLCK,
  TIOCSWINSZ,
  termiosSize,
} from "../../linux/constants";
import type { Process } from "../../oci/process";
import type { Assembler, Register } from "../../program/assembler";
import { close } from "../../program/files";
import { fileInRoot, openInRoot } from "./root";

/** What a terminal is to be. */
export interface TerminalPlan {
  /** Mount it on /dev/console as well, as the first process of a container has it. */
  console: boolean;
  /** A new line that is written comes out as CR LF, as terminals do it unless told otherwise (ONLCR, termios(3)). */
  onlcr: boolean;
}

/**
 * Opens a terminal of the container's devpts, makes it the process's standard streams and its controlling terminal, and hands its
 * master to init.
 */
export function lowerTerminal(p: Assembler, root: Register, process: Process, { console, onlcr }: TerminalPlan): void {
  p.doing("open a terminal in the container's /dev/pts");
  const master = openInRoot(p, root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
  p.syscall("ioctl", [master, TIOCSPTLCK, p.bytes(new Uint8Array(4))]);
  const slave = p.value("ioctl", [master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC]);
  if (process.consoleSize !== undefined) {
    const { height, width } = process.consoleSize;
    const winsize = p.bytes(new Uint8Array(new Uint16Array([height, width, 0, 0]).buffer));
    p.syscall("ioctl", [master, TIOCSWINSZ, winsize]);
  }
  if (!onlcr) clearOnlcr(p, slave);
  p.doing("give the terminal to the process's user");
  p.syscall("fchown", [slave, process.user.uid, -1]);
  if (console) mountConsole(p, root, slave);
  p.doing("make the terminal the process's own");
  p.syscall("setsid", [], { accept: ["EPERM"] });
  for (const fd of [0, 1, 2]) p.syscall("dup3", [slave, fd, 0]);
  p.syscall("ioctl", [0, TIOCSCTTY, 0]);
  p.give(master);
  close(p, master, slave);
}

/** Of a new terminal: its flags for output, which in struct termios follow those for input, are OPOST and ONLCR. */
function clearOnlcr(p: Assembler, terminal: Register): void {
  const termios = p.zeroed(termiosSize);
  p.syscall("ioctl", [terminal, TCGETS, termios]);
  p.store(termios.plus(4), OPOST, 4);
  p.syscall("ioctl", [terminal, TCSETS, termios]);
}

function mountConsole(p: Assembler, root: Register, slave: Register): void {
  p.doing("mount the terminal on /dev/console");
  const target = fileInRoot(p, root, "/dev/console");
  const tree = p.value("open_tree", [slave, p.text(""), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH]);
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  p.syscall("move_mount", [tree, p.text(""), target, p.text(""), flags]);
  close(p, tree, target);
}

/** Begins a session and lets the process's user open its pipes again by /dev/stdout and the like. */
export function lowerPipes(p: Assembler, process: Process): void {
  p.doing("give the standard streams to the process's user");
  p.syscall("setsid", [], { accept: ["EPERM"] });
  for (const fd of [0, 1, 2]) p.syscall("fchown", [fd, process.user.uid, process.user.gid], { accept: "any" });
}
