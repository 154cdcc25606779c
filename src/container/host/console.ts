/** The terminal of a container's process: handed to the caller's socket, or carried to the caller's own while this command stays in the foreground. */
import { closeSync, read, write } from "node:fs";
import { RunvError } from "../../base/error";
import { TIOCSWINSZ } from "../../linux/constants";
import { syscall } from "../../linux/local";
import { sendDescriptor } from "../../linux/send-descriptor";
import { rawTermios, setTermios, termiosOf, windowSizeOf } from "../../linux/terminal";
import type { Process } from "../../oci/process";
import type { HostProcess } from "./process";

/** Hands a process's terminal to whoever listens, as runc names it. @throws RunvError CONSOLE_SOCKET */
export function sendTerminal(process: HostProcess, socket: string): void {
  const master = takeTerminal(process);
  if (master === undefined) return;
  try {
    sendDescriptor(socket, master, "/dev/ptmx");
  } catch (cause) {
    throw new RunvError("CONSOLE_SOCKET", `send the terminal to ${socket}: ${(cause as Error).message}`, { cause });
  } finally {
    closeSync(master);
  }
}

/** The process with a terminal of this command's own size, if that is to be carried to it: it has it before it begins. */
export function sizedAsCaller(process: Process, detach: boolean): Process {
  const size = process.terminal && !detach ? windowSizeOf(0) : undefined;
  return size === undefined ? process : { ...process, consoleSize: { height: size.rows, width: size.columns } };
}

/** Bytes that are read at once. */
const pieceSize = 32 << 10;
/** How long after its process's end a terminal is read that others still have open, in milliseconds. */
const momentMs = 100;

/** What carries a terminal. */
export interface CarriedTerminal {
  /** Fulfilled when what the process wrote is written: it has ended. */
  finish(): Promise<void>;
}

/** Carries a process's terminal from and to this command's streams. @returns undefined when it has none */
export function carryTerminal(carried: HostProcess): CarriedTerminal | undefined {
  const master = takeTerminal(carried);
  if (master === undefined) return undefined;
  const termios = termiosOf(0);
  if (termios !== undefined) setTermios(0, rawTermios(termios));
  followSize(master);
  // Reads may block, of descriptors that are shared with others: the runtime's threads do them.
  const output = copy(master, 1);
  void copy(0, master);
  return { finish: () => Promise.race([output, Bun.sleep(momentMs)]) };
}

function takeTerminal(process: HostProcess): number | undefined {
  const { terminal } = process;
  process.terminal = undefined;
  return terminal;
}

/** The terminal has the size of this command's own, now and later. */
function followSize(master: number): void {
  const follow = () => {
    const size = windowSizeOf(0);
    if (size === undefined) return;
    syscall("ioctl", master, TIOCSWINSZ, new Uint8Array(new Uint16Array([size.rows, size.columns, 0, 0]).buffer));
  };
  follow();
  process.on("SIGWINCH", follow);
}

/** Copies until there is nothing more, or nobody takes it. A terminal that nobody has open at the other side gives EIO (pty(7)). */
async function copy(from: number, to: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(pieceSize);
  for (;;) {
    const length = await again((done) => read(from, buffer, 0, pieceSize, null, done));
    if (length === undefined || length === 0) return;
    for (let sent = 0; sent < length; ) {
      const written = await again((done) => write(to, buffer, sent, length - sent, null, done));
      if (written === undefined) return;
      sent += written;
    }
  }
}

/** How long a descriptor that somebody has made nonblocking is left alone, in milliseconds. */
const pauseMs = 10;

type Done = (error: NodeJS.ErrnoException | null, length: number) => void;

/** @returns how many bytes were moved; undefined when there is an end of it */
async function again(move: (done: Done) => void): Promise<number | undefined> {
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<number | "later" | undefined>();
    move((error, length) => {
      if (error === null) resolve(length);
      else resolve(error.code === "EAGAIN" || error.code === "EINTR" ? "later" : undefined);
    });
    const moved = await promise;
    if (moved !== "later") return moved;
    await Bun.sleep(pauseMs);
  }
}
