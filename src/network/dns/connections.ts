import type { Guest } from "../../guest/guest";
import type { GuestProcess } from "../../guest/process";
import { SIGKILL } from "../../linux/signals";
import { Carried } from "../carried";
import type { HostNamespace } from "../host-namespace";
import { type Place, serveConnection } from "./guest-programs";

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
      const connection = new Carried();
      const process = this.guest.run(serveConnection(this.place), connection.listener);
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

  async #carry(connection: Carried, process: GuestProcess): Promise<void> {
    this.#carried.add(process);
    try {
      const { ip, port } = this.place;
      const options = { hostname: ip, port, allowHalfOpen: true, socket: connection.handlers };
      connection.carry(await this.host.enter(() => Bun.connect(options)));
      process.go();
      await process.exited;
    } catch {
      process.signal(SIGKILL);
    } finally {
      this.#carried.delete(process);
    }
  }
}
