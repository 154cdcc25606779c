/** What a network namespace holds. */
import { readFileSync } from "node:fs";

import { type Address, decodeAddress, getAddresses } from "../linux/netlink/address";
import { ARPHRD_ETHER } from "../linux/netlink/constants";
import { decodeLink, getLinks, type Link } from "../linux/netlink/link";
import { decodeNeighbour, getNeighbours, type Neighbour } from "../linux/netlink/neighbour";
import { decodeRoute, getRoutes, type Route } from "../linux/netlink/route";
import { decodeRule, getRules, type Rule } from "../linux/netlink/rule";
import type { NetlinkSocket } from "../linux/netlink/socket";
import { portPattern } from "./tap";

/** An interface, with what netlink does not tell. */
export interface Interface extends Link {
  /** As Docker has it for networks without IPv6. */
  disableIpv6: boolean;
}

export interface NetworkConfig {
  /** Those that a machine can be given. */
  links: Interface[];
  /** Of all interfaces, as the rest. */
  addresses: Address[];
  routes: Route[];
  neighbours: Neighbour[];
  rules: Rule[];
}

/** The loopback interface of every namespace. */
export const loopback = 1;

/** Reads the configuration of a namespace. @throws NetlinkError */
export function readNetwork(socket: NetlinkSocket): NetworkConfig {
  const addresses = socket.list(getAddresses(), decodeAddress);
  const hasAddress = new Set(addresses.map(({ index }) => index));
  return {
    links: socket
      .list(getLinks(), decodeLink)
      .filter((link) => isCable(link) && (link.up || hasAddress.has(link.index)))
      .map((link) => ({ ...link, disableIpv6: hasIpv6Disabled(link.name) })),
    addresses,
    routes: socket.list(getRoutes(), decodeRoute),
    neighbours: socket.list(getNeighbours(), decodeNeighbour),
    rules: socket.list(getRules(), decodeRule),
  };
}

/** The file of /proc/sys that disables IPv6 on an interface. */
export function ipv6Switch(name: string): string {
  return `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`;
}

function hasIpv6Disabled(name: string): boolean {
  try {
    return readFileSync(ipv6Switch(name), "latin1").trim() === "1";
  } catch {
    // A kernel without IPv6, or an interface that has just gone.
    return false;
  }
}

/** Whether frames can be taken from an interface: it is an Ethernet one, stands for itself, and is not a tap of runv's own. */
function isCable({ type, mac, master, kind, name }: Link): boolean {
  if (type !== ARPHRD_ETHER || master !== undefined || /^(00:)*00$/.test(mac)) return false;
  return kind !== "ifb" && !((kind === "tun" || kind === undefined) && portPattern.test(name));
}
