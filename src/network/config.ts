/** What a network namespace holds. */

import { type Address, decodeAddress, getAddresses } from "../linux/netlink/address";
import { ARPHRD_ETHER } from "../linux/netlink/constants";
import { decodeLink, getLinks, type Link } from "../linux/netlink/link";
import { decodeNeighbour, getNeighbours, type Neighbour } from "../linux/netlink/neighbour";
import { decodeRoute, getRoutes, type Route } from "../linux/netlink/route";
import { decodeRule, getRules, type Rule } from "../linux/netlink/rule";
import type { NetlinkSocket } from "../linux/netlink/socket";
import { tapPattern } from "./tap";

export interface NetworkConfig {
  /** Those that a machine can be given. */
  links: Link[];
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
      .filter((link) => isCable(link) && (link.up || hasAddress.has(link.index))),
    addresses,
    routes: socket.list(getRoutes(), decodeRoute),
    neighbours: socket.list(getNeighbours(), decodeNeighbour),
    rules: socket.list(getRules(), decodeRule),
  };
}

/** Whether frames can be taken from an interface: it is an Ethernet one, stands for itself, and is not a tap of runv's own. */
function isCable({ type, mac, master, kind, name }: Link): boolean {
  if (type !== ARPHRD_ETHER || master !== undefined || /^(00:)*00$/.test(mac)) return false;
  return kind !== "ifb" && !(kind === "tun" && tapPattern.test(name));
}
