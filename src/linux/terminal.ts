/** Terminals of this machine (ioctl_tty(2), termios(3), pty(7)). */
import { closeSync, openSync } from "node:fs";
import {
  O_CLOEXEC,
  O_NOCTTY,
  O_RDWR,
  TCGETS,
  TCSETS,
  TIOCGPTPEER,
  TIOCGWINSZ,
  TIOCSCTTY,
  TIOCSPTLCK,
  TIOCSWINSZ,
  termiosSize,
} from "./constants";
import { syscall } from "./local";

/** Where struct termios has its flag words. */
const [inputFlags, outputFlags, controlFlags, localFlags] = [0, 4, 8, 12];
const [vtime, vmin] = [17 + 5, 17 + 6];

export interface WindowSize {
  rows: number;
  columns: number;
}

/** The settings of a terminal, to be given back to `setTermios`; undefined when the descriptor is none. */
export function termiosOf(fd: number): Uint8Array | undefined {
  const termios = new Uint8Array(termiosSize);
  try {
    syscall("ioctl", fd, TCGETS, termios);
    return termios;
  } catch {
    return undefined;
  }
}

/** Sets a terminal; one that has gone is past setting. */
export function setTermios(fd: number, termios: Uint8Array): void {
  try {
    syscall("ioctl", fd, TCSETS, termios);
  } catch {}
}

/** The settings as cfmakeraw(3) makes them: every byte goes through as it is. */
export function rawTermios(termios: Uint8Array): Uint8Array {
  const raw = termios.slice();
  const view = new DataView(raw.buffer);
  const clear = (at: number, bits: number) => view.setUint32(at, view.getUint32(at, true) & ~bits, true);
  // IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON; OPOST; CSIZE PARENB; ISIG ICANON ECHO ECHONL IEXTEN
  clear(inputFlags, 0o1 | 0o2 | 0o10 | 0o40 | 0o100 | 0o200 | 0o400 | 0o2000);
  clear(outputFlags, 0o1);
  clear(controlFlags, 0o60 | 0o400);
  clear(localFlags, 0o1 | 0o2 | 0o10 | 0o100 | 0o100000);
  view.setUint32(controlFlags, view.getUint32(controlFlags, true) | 0o60, true);
  raw[vtime] = 0;
  raw[vmin] = 1;
  return raw;
}

/** Whether the descriptor is a terminal. */
export function isTerminal(fd: number): boolean {
  return termiosOf(fd) !== undefined;
}

/** The size of a terminal; undefined when the descriptor is none, or has no size yet. */
export function windowSizeOf(fd: number): WindowSize | undefined {
  const winsize = new Uint16Array(4);
  try {
    syscall("ioctl", fd, TIOCGWINSZ, new Uint8Array(winsize.buffer));
  } catch {
    return undefined;
  }
  const [rows = 0, columns = 0] = winsize;
  return rows === 0 && columns === 0 ? undefined : { rows, columns };
}

/** A new pseudoterminal: descriptors of its two sides, closed on exec. */
export function openTerminal(size?: WindowSize): { master: number; slave: number } {
  const master = openSync("/dev/ptmx", O_RDWR | O_NOCTTY);
  try {
    syscall("ioctl", master, TIOCSPTLCK, new Uint8Array(4));
    const slave = syscall("ioctl", master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (size !== undefined) {
      const winsize = new Uint16Array([size.rows, size.columns, 0, 0]);
      syscall("ioctl", master, TIOCSWINSZ, new Uint8Array(winsize.buffer));
    }
    return { master, slave };
  } catch (error) {
    closeSync(master);
    throw error;
  }
}

/** Makes a terminal the controlling one of this session's leader, which this process is. */
export function takeTerminal(fd: number): void {
  syscall("ioctl", fd, TIOCSCTTY, 0);
}
