import type { Guest } from "../../guest/guest";
import type { GuestProcess } from "../../guest/process";
import { SIGKILL } from "../../linux/signals";
import { stdinWindow } from "../../wire/frame";
import { serveConnection } from "./guest-programs";

const credit = 64 << 10;
/** More connections at once are no name resolution. */
const mostConnections = 32;

/** Carries TCP connections between the guest and a server. Each is a program in the guest, one of which waits for the next. */
export class Connections {
  #connections = 0;

  constructor(
    private readonly guest: Guest,
    private readonly server: { ip: string; port: number },
    private readonly listen: { ip: string; port: number },
  ) {}

  /** Waits for connections until the guest is gone, or its kernel refuses to listen. */
  async serve(): Promise<void> {
    for (;;) {
      const connection = new Connection();
      const program = serveConnection(this.listen.ip, this.listen.port, credit);
      const process = this.guest.run(program, connection.listener);
      connection.process = process;
      if ((await process.next()).at !== "stopped") return;
      if (this.#connections >= mostConnections) process.signal(SIGKILL);
      else void this.#carry(connection, process);
    }
  }

  async #carry(connection: Connection, process: GuestProcess): Promise<void> {
    this.#connections++;
    try {
      await connection.connect(this.server);
      process.go();
      await process.exited;
    } catch {
      process.signal(SIGKILL);
    } finally {
      connection.close();
      this.#connections--;
    }
  }
}

/** One connection: what its sides do not take yet is kept, as much as they may send without being asked for more. */
class Connection {
  process: GuestProcess | undefined;
  #socket: Bun.Socket | undefined;
  #credit = stdinWindow;
  #toServer: Uint8Array[] = [];
  #toGuest: Uint8Array[] = [];
  /** The guest sends no more; the server sends no more. */
  #halfClosed = false;
  #ended = false;

  readonly listener = {
    data: (_: number, bytes: Uint8Array) => {
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

  async connect({ ip, port }: { ip: string; port: number }): Promise<void> {
    this.#socket = await Bun.connect({
      hostname: ip,
      port,
      allowHalfOpen: true,
      socket: {
        data: (_, bytes: Uint8Array) => {
          this.#toGuest.push(bytes.slice());
          this.#fill();
        },
        drain: () => this.#drain(),
        end: () => this.#end(),
        close: () => this.#end(),
        error: () => this.#end(),
      },
    });
    this.#drain();
  }

  close(): void {
    this.#socket?.end();
  }

  #drain(): void {
    while (this.#socket !== undefined && this.#toServer.length > 0) {
      const bytes = this.#toServer[0]!;
      const taken = Math.max(0, this.#socket.write(bytes));
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
