/** What the guest is to be told, as a set: what is told already need not be told again, and what is no longer in it is undone. */

import type { ErrnoName } from "../linux/errno";
import { addAddress, deleteAddress, formatAddress } from "../linux/netlink/address";
import type { NetlinkRequest } from "../linux/netlink/message";
import { addNeighbour, deleteNeighbour } from "../linux/netlink/neighbour";
import { addRoute, deleteRoute, hasGateway, interfacesOf } from "../linux/netlink/route";
import { addRule, deleteRule } from "../linux/netlink/rule";
import { formatIp } from "../linux/netlink/scalars";
import { loopback, type NetworkConfig } from "./config";

/** Something that the guest's network has, apart from interfaces. */
export interface Item {
  /** What it is, for errors: `the address 172.17.0.2/16`. */
  what: string;
  add: NetlinkRequest;
  /** Errors that mean that it is there already. */
  present: readonly ErrnoName[];
  remove: NetlinkRequest;
  /** The host's interfaces that it needs. */
  interfaces: readonly number[];
}

/**
 * Lists what the guest's network is to have, in the order in which it can be made.
 * @param guestIndex for each of the host's interfaces that the guest has, its number there
 */
export function desiredItems(config: NetworkConfig, guestIndex: ReadonlyMap<number, number>): Map<string, Item> {
  const items = [...addresses(config, guestIndex), ...routes(config, guestIndex), ...neighbours(config, guestIndex)];
  return new Map([...items, ...rules(config)].map((item) => [keyOf(item), item]));
}

function addresses(config: NetworkConfig, guestIndex: ReadonlyMap<number, number>): Item[] {
  return config.addresses.flatMap((address) => {
    const index = guestIndex.get(address.index);
    const text = formatAddress(address);
    const isStandard = address.index === loopback && (text === "127.0.0.1/8" || text === "::1/128");
    if (index === undefined || isStandard) return [];
    const mapped = { ...address, index };
    const [add, remove] = [addAddress(mapped), deleteAddress(mapped)];
    return [{ what: `the address ${text}`, add, present: ["EEXIST"], remove, interfaces: [address.index] }];
  });
}

function routes(config: NetworkConfig, guestIndex: ReadonlyMap<number, number>): Item[] {
  const known = config.routes.filter((route) => interfacesOf(route).every((index) => guestIndex.has(index)));
  const inOrder = [...known.filter((route) => !hasGateway(route)), ...known.filter(hasGateway)];
  const map = (index: number) => guestIndex.get(index)!;
  return inOrder.map((route) => ({
    what: "a route",
    add: addRoute(route, map),
    present: ["EEXIST"],
    remove: deleteRoute(route, map),
    interfaces: interfacesOf(route),
  }));
}

function neighbours(config: NetworkConfig, guestIndex: ReadonlyMap<number, number>): Item[] {
  return config.neighbours.flatMap((neighbour) => {
    const index = guestIndex.get(neighbour.index);
    if (index === undefined) return [];
    const mapped = { ...neighbour, index };
    const [add, remove] = [addNeighbour(mapped), deleteNeighbour(mapped)];
    return [
      { what: `the neighbour ${formatIp(neighbour.ip)}`, add, present: [], remove, interfaces: [neighbour.index] },
    ];
  });
}

function rules(config: NetworkConfig): Item[] {
  return config.rules.map((rule) => ({
    what: "a routing rule",
    add: addRule(rule),
    present: ["EEXIST"],
    remove: deleteRule(rule),
    interfaces: [],
  }));
}

function keyOf({ add: { type, body } }: Item): string {
  return `${type} ${Buffer.from(body).toString("hex")}`;
}
