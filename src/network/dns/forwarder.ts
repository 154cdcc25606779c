/**
 * Names that only the host's side can resolve: Docker's resolver for user networks is in the container's namespace, at 127.0.0.11, and a host's own
 * may be at 127.0.0.53. Whoever asks there in the guest is answered from there: questions go over the agent's channel, so that nothing of
 * the guest's network is bent for it.
 */
import { readFileSync } from "node:fs";
import { SIGKILL } from "../../linux/signals";
import type { GuestNamespace } from "../guest-namespace";
import type { HostNamespace } from "../host-namespace";
import { Connections } from "./connections";
import { Datagrams } from "./datagrams";
import { serveDatagrams } from "./guest-programs";

const dnsPort = 53;
const credit = 64 << 10;
/** Where Docker's resolver is. It listens at any port, and its namespace redirects port 53 to it. */
const docker = "127.0.0.11";

export class NameForwarder {
  readonly #host: HostNamespace;
  readonly #guest: GuestNamespace;
  /** By the addresses that are served: what ends it. */
  readonly #served = new Map<string, () => void>();

  constructor(host: HostNamespace, guest: GuestNamespace) {
    this.#host = host;
    this.#guest = guest;
  }

  /** Serves the resolvers that there are now in the host's namespace. @returns whether there are any */
  update(): boolean {
    for (const ip of this.#host.enter(localResolvers)) {
      if (!this.#served.has(ip)) this.#served.set(ip, this.#serve(ip));
    }
    return this.#served.size > 0;
  }

  close(): void {
    for (const end of this.#served.values()) end();
    this.#served.clear();
  }

  #serve(ip: string): () => void {
    const { guest, handle: namespace } = this.#guest;
    const place = { ip, port: dnsPort, namespace };
    const datagrams = new Datagrams(place, this.#host);
    const process = guest.run(serveDatagrams(place, credit), {
      data: (_, bytes) => datagrams.take(bytes),
      credit: (bytes) => datagrams.grant(bytes),
    });
    datagrams.attach(process);
    // It ends with the guest, or when the container itself listens there.
    process.next().catch(() => {});
    const connections = new Connections(guest, place, this.#host);
    connections.serve().catch(() => {});
    return () => {
      process.signal(SIGKILL);
      connections.close();
    };
  }
}

/** Loopback addresses, other than the usual one, at which somebody resolves names in the namespace that this thread is in. */
function localResolvers(): string[] {
  return listeners(readFileSync("/proc/thread-self/net/udp", "latin1"));
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
