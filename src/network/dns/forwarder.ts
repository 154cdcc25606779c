/**
 * Names that only the host's side can resolve: Docker's resolver for user networks is in the container's namespace, at 127.0.0.11, and a host's own
 * may be at 127.0.0.53. Whoever asks there in the guest is answered from there: questions go over the agent's channel, so that nothing of
 * the guest's network is bent for it.
 */
import { readFileSync } from "node:fs";
import type { Guest } from "../../guest/guest";
import { Connections } from "./connections";
import { Datagrams } from "./datagrams";
import { serveDatagrams } from "./guest-programs";

const dnsPort = 53;
const credit = 64 << 10;
/** Where Docker's resolver is. It listens at any port, and its namespace redirects port 53 to it. */
const docker = "127.0.0.11";

export class NameForwarder {
  readonly #guest: Guest;
  readonly #served = new Set<string>();

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  /** Serves the resolvers that there are now in this process's namespace. @returns whether there are any */
  update(): boolean {
    for (const ip of localResolvers()) {
      if (this.#served.has(ip)) continue;
      this.#served.add(ip);
      this.#serve(ip);
    }
    return this.#served.size > 0;
  }

  #serve(ip: string): void {
    const server = { ip, port: dnsPort };
    const datagrams = new Datagrams(server);
    const process = this.#guest.run(serveDatagrams(ip, dnsPort, credit), {
      data: (_, bytes) => datagrams.take(bytes),
      credit: (bytes) => datagrams.grant(bytes),
    });
    datagrams.attach(process);
    // It ends with the guest, or when the container itself listens there.
    process.next().catch(() => {});
    new Connections(this.#guest, server, server).serve().catch(() => {});
  }
}

/** Loopback addresses, other than the usual one, at which somebody in this namespace resolves names. */
function localResolvers(): string[] {
  return listeners(readFileSync("/proc/self/net/udp", "latin1"));
}

/** Of /proc/net/udp (proc_net(5)), the addresses of `localResolvers`. */
export function listeners(table: string): string[] {
  const found = [...table.matchAll(/^ *\d+: ([0-9A-F]{8}):([0-9A-F]{4}) /gm)].map(([, hex, port]) => ({
    ip: Buffer.from(hex!, "hex").reverse().join("."),
    port: Number.parseInt(port!, 16),
  }));
  const resolvers = found.filter(
    ({ ip, port }) => ip.startsWith("127.") && ip !== "127.0.0.1" && (port === dnsPort || ip === docker),
  );
  return [...new Set(resolvers.map(({ ip }) => ip))];
}
