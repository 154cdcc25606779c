/** Networks for tests: namespaces of their own, joined by a bridge in one more, so that nothing leaves the machine. */

import type { Config } from "./bundle";
import { command, output } from "./command";

/** A network namespace that stands for a container's. */
export interface Station {
  /** Its path, for config.json. */
  path: string;
  /** Runs ip(8) in it. */
  ip(...words: string[]): Promise<string>;
  /** Runs a program in it. */
  run(...words: string[]): Promise<string>;
}

export interface Lab {
  /** Where the bridge is: 10.9.0.1/24 and fd09::1/64. */
  hub: Station;
  /** Makes a namespace with nothing but loopback. */
  station(): Promise<Station>;
  /** Gives a station an interface: 10.9.0.N/24 and fd09::N/64 and default routes over the hub. */
  plug(station: Station, name: string, number: number): Promise<void>;
  remove(): Promise<void>;
}

/** Makes a lab. @param name of the rig */
export async function makeLab(name: string): Promise<Lab> {
  const stations: string[] = [];
  const make = async (suffix: string): Promise<Station> => {
    const netns = `${name}-${suffix}`;
    await command("ip", "netns", "add", netns);
    stations.push(netns);
    const ip = (...words: string[]) => output("ip", "-n", netns, ...words);
    await ip("link", "set", "lo", "up");
    return { path: `/run/netns/${netns}`, ip, run: (...words) => output("ip", "netns", "exec", netns, ...words) };
  };
  const hub = await make("hub");
  await hub.ip("link", "add", "br0", "type", "bridge");
  await hub.ip("addr", "add", "10.9.0.1/24", "dev", "br0");
  await hub.ip("addr", "add", "fd09::1/64", "dev", "br0", "nodad");
  await hub.ip("link", "set", "br0", "up");
  return {
    hub,
    station: () => make(String(stations.length)),
    plug: async ({ ip, path }, link, number) => {
      const port = `port${number}`;
      const netns = path.slice("/run/netns/".length);
      await hub.ip("link", "add", port, "type", "veth", "peer", "name", link, "netns", netns);
      await hub.ip("link", "set", port, "master", "br0", "up");
      await ip("addr", "add", `10.9.0.${number}/24`, "dev", link);
      await ip("addr", "add", `fd09::${number}/64`, "dev", link, "nodad");
      await ip("link", "set", link, "up");
    },
    remove: async () => {
      for (const netns of stations.splice(0)) await command("ip", "netns", "del", netns);
    },
  };
}

/** Has a container join a namespace, or make its own; it may change its network, and write to its root. */
export function inNamespace(config: Config, path: string | undefined): void {
  const { linux, process, root } = config;
  for (const set of Object.values(process.capabilities as Record<string, string[]>))
    set.push("CAP_NET_RAW", "CAP_NET_ADMIN");
  root.readonly = false;
  linux.namespaces = linux.namespaces.filter(({ type }) => type !== "network");
  linux.namespaces.push(path === undefined ? { type: "network" } : { type: "network", path });
}
