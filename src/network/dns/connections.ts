import type { Guest } from "../../guest/guest";
import type { GuestProcess } from "../../guest/process";
import { SIGKILL } from "../../linux/signals";
import { stdinWindow } from "../../wire/frame";
import type { HostNamespace } from "../host-namespace";
import { type Place, serveConnection } from "./guest-programs";

const credit = 64 << 10;
/** More connections at once are no name resolution. */
const mostConnections = 32;

/** Carries TCP connections between the guest and a server. Each is a program in the guest, one of which waits for the next. */
export class Connections {
  /** Those that are carried. */
  readonly #carried = new Set<GuestProcess>();
  #waiting: GuestProcess | undefined;

  /** @param host where the server is, which has the guest's address and port */
  constructor(
    private readonly guest: Guest,
    private readonly place: Place,
    private readonly host: HostNamespace,
  ) {}

  /** Waits for connections until it is closed, the guest is gone, or its kernel refuses to listen. */
  async serve(): Promise<void> {
    for (;;) {
      const connection = new Connection();
      const process = this.guest.run(serveConnection(this.place, credit), connection.listener);
      this.#waiting = process;
      connection.process = process;
      if ((await process.next()).at !== "stopped") return;
      if (this.#carried.size >= mostConnections) process.signal(SIGKILL);
      else void this.#carry(connection, process);
    }
  }

  close(): void {
    for (const process of [...this.#carried, this.#waiting]) process?.signal(SIGKILL);
  }

  async #carry(connection: Connection, process: GuestProcess): Promise<void> {
    this.#carried.add(process);
    try {
      await connection.connect(this.place, this.host);
      process.go();
      await process.exited;
    } catch {
      process.signal(SIGKILL);
    } finally {
      connection.close();
      this.#carried.delete(process);
    }
  }
}

/** One connection: what its sides do not take yet is kept, as much as they may send without being asked for more. */
class Connection {
  process: GuestProcess | undefined;
  #socket: Bun.Socket | undefined;
  #credit = stdinWindow;
  #toServer: Uint8Array[] = [];
  /** How many bytes the guest has sent that the server has not taken. */
  #untaken = 0;
  #toGuest: Uint8Array[] = [];
  /** The guest sends no more; the server sends no more. */
  #halfClosed = false;
  #ended = false;
  #refused = false;

  readonly listener = {
    data: (_: number, bytes: Uint8Array) => {
      if (this.#refused) return;
      this.#untaken += bytes.length;
      if (this.#untaken > credit) {
        this.#refuse();
        return;
      }
      this.#toServer.push(bytes.slice());
      this.#drain();
    },
    eof: (stream: number) => {
      this.#halfClosed ||= stream === 1;
      this.#drain();
    },
    credit: (bytes: number) => {
      this.#credit += bytes;
      this.#fill();
    },
  };

  async connect({ ip, port }: { ip: string; port: number }, host: HostNamespace): Promise<void> {
    const socket = {
      data: (_: unknown, bytes: Uint8Array) => {
        this.#toGuest.push(bytes.slice());
        this.#fill();
      },
      drain: () => this.#drain(),
      end: () => this.#end(),
      close: () => this.#end(),
      error: () => this.#end(),
    };
    this.#socket = await host.enter(() => Bun.connect({ hostname: ip, port, allowHalfOpen: true, socket }));
    this.#drain();
  }

  close(): void {
    this.#socket?.end();
  }

  /** A guest that sends more than it has credit for is heard no more. */
  #refuse(): void {
    this.#refused = true;
    this.#toServer = [];
    this.process?.signal(SIGKILL);
    this.close();
  }

  #drain(): void {
    while (this.#socket !== undefined && this.#toServer.length > 0) {
      const bytes = this.#toServer[0]!;
      const taken = Math.max(0, this.#socket.write(bytes));
      this.#untaken -= taken;
      this.process?.credit(1, taken);
      if (taken < bytes.length) {
        this.#toServer[0] = bytes.subarray(taken);
        return;
      }
      this.#toServer.shift();
    }
    if (this.#halfClosed) this.#socket?.shutdown();
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
    if (this.#ended && this.#toGuest.length === 0) this.process?.end(0);
  }

  #end(): void {
    this.#ended = true;
    this.#fill();
  }
}
