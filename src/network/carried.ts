/** TCP connections that go over the agent's channel: one end is a socket of the host's, the other one of the guest's. */
import type { GuestProcess } from "../guest/process";
import { PR_SET_PDEATHSIG, SHUT_WR } from "../linux/constants";
import { SIGCHLD, SIGKILL } from "../linux/signals";
import type { Assembler, Label, Register } from "../program/assembler";
import { Stdio } from "../program/instruction";
import { stdinWindow } from "../wire/frame";

/** How many bytes of the guest's are on their way at once. */
const credit = 64 << 10;
/** How many bytes are moved at a time at most. */
const most = 64 << 10;
const [stdin, stdout] = [0, 1];

/** What a program that carries a connection is to begin with. */
export const carryingHead = { stdio: Stdio.stdin | Stdio.stdout, credit };

/**
 * The guest's end, in a process for each direction, so that neither waits for the other: what comes from the host goes into the connection, and what
 * comes out of it to the host. Each direction ends by itself, as those of a TCP connection do.
 */
export function carryConnection(p: Assembler, connection: Register): void {
  p.doing("carry a connection");
  const [outward, ended, broken] = [p.label(), p.label(), p.label()];
  const child = p.value("clone", [SIGCHLD, 0, 0, 0, 0]);
  p.jumpIf(child, "≠", 0, outward);
  p.syscall("prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
  p.syscall("close", [stdout]);
  const inwardEnded = p.label();
  move(p, stdin, connection, inwardEnded, inwardEnded);
  p.place(inwardEnded);
  p.syscall("shutdown", [connection, SHUT_WR], { accept: "any" });
  p.syscall("exit_group", [0]);
  p.place(outward);
  p.syscall("close", [stdin]);
  move(p, connection, stdout, ended, broken);
  p.place(broken);
  p.syscall("kill", [child, SIGKILL], { accept: "any" });
  p.place(ended);
  p.syscall("close", [stdout]);
  p.syscall("wait4", [child, 0, 0, 0]);
}

/**
 * Moves bytes from one descriptor to another until there are no more. Not by splice(2): while that waits for a socket it holds the lock of the pipe,
 * and with it whoever reads the pipe, blocking or not.
 */
function move(p: Assembler, from: number | Register, to: number | Register, ended: Label, broken: Label): void {
  const again = p.label();
  const [buffer, moved] = [p.zeroed(most), p.register()];
  const onError = { accept: "any", otherwise: broken } as const;
  p.place(again);
  p.syscall("read", [from, buffer, most], { into: moved, ...onError });
  p.jumpIf(moved, "=", 0, ended);
  p.syscall("write", [to, buffer, moved], onError);
  p.jump(again);
}

/** The host's end: what a side does not take yet is kept, as much as the other may send without being asked for more. */
export class Carried {
  /** The guest's end, whose listener is `listener`. */
  process: GuestProcess | undefined;
  #socket: Bun.Socket<unknown> | undefined;
  #credit = stdinWindow;
  #toHost: Uint8Array[] = [];
  /** How many bytes the guest has sent that the host's side has not taken. */
  #untaken = 0;
  #toGuest: Uint8Array[] = [];
  /** The guest sends no more; the host's side sends no more. */
  #guestEnded = false;
  #hostEnded = false;
  /** The guest's end is gone. */
  #closed = false;
  #refused = false;

  readonly listener = {
    data: (_: number, bytes: Uint8Array) => {
      if (this.#refused) return;
      this.#untaken += bytes.length;
      if (this.#untaken > credit) {
        this.#refuse();
        return;
      }
      this.#toHost.push(bytes.slice());
      this.#drain();
    },
    eof: (stream: number) => {
      this.#guestEnded ||= stream === 1;
      this.#drain();
    },
    credit: (bytes: number) => {
      this.#credit += bytes;
      this.#fill();
    },
    closed: () => {
      this.#closed = true;
      this.#drain();
    },
  };

  /** What the host's socket, which may be half open, is to tell. */
  readonly handlers = {
    data: (_: unknown, bytes: Uint8Array) => {
      this.#toGuest.push(bytes.slice());
      this.#fill();
    },
    drain: () => this.#drain(),
    end: () => this.#endOfHost(),
    close: (_: unknown, error?: Error) => (error === undefined ? this.#gone() : this.#broken()),
    error: () => this.#broken(),
  };

  /** Both ends are there. */
  carry(socket: Bun.Socket<unknown>): void {
    this.#socket = socket;
    this.#drain();
    this.#fill();
  }

  close(): void {
    this.#socket?.end();
  }

  /** A guest that sends more than it has credit for is heard no more. */
  #refuse(): void {
    this.#refused = true;
    this.#toHost = [];
    this.process?.signal(SIGKILL);
    this.close();
  }

  #drain(): void {
    while (this.#socket !== undefined && this.#toHost.length > 0) {
      const bytes = this.#toHost[0]!;
      const taken = Math.max(0, this.#socket.write(bytes));
      this.#untaken -= taken;
      this.process?.credit(1, taken);
      if (taken < bytes.length) {
        this.#toHost[0] = bytes.subarray(taken);
        return;
      }
      this.#toHost.shift();
    }
    if (this.#closed) this.close();
    else if (this.#guestEnded) this.#socket?.shutdown();
  }

  #fill(): void {
    while (this.#toGuest.length > 0 && this.#credit > 0) {
      const bytes = this.#toGuest.shift()!;
      const now = bytes.subarray(0, this.#credit);
      this.#credit -= now.length;
      this.process?.write(now);
      if (now.length < bytes.length) this.#toGuest.unshift(bytes.subarray(now.length));
    }
    if (this.#toGuest.length > 0) this.#socket?.pause();
    else this.#socket?.resume();
    if (this.#hostEnded && this.#toGuest.length === 0) this.process?.end(stdin);
  }

  #endOfHost(): void {
    this.#hostEnded = true;
    this.#fill();
  }

  /** Nobody on the host reads any more. */
  #gone(): void {
    this.#socket = undefined;
    this.process?.end(stdout);
    this.#endOfHost();
  }

  #broken(): void {
    this.#socket = undefined;
    this.process?.signal(SIGKILL);
  }
}
