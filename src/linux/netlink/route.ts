/** Routes and the rules that choose between their tables: RTM_*ROUTE, struct rtmsg; RTM_*RULE, struct fib_rule_hdr. */
import { AF_INET, AF_INET6, AF_UNSPEC } from "../constants";
import {
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RTA_DST,
  RTA_GATEWAY,
  RTA_METRICS,
  RTA_MULTIPATH,
  RTA_OIF,
  RTA_PREF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_SRC,
  RTA_TABLE,
  RTA_VIA,
  RTM_DELROUTE,
  RTM_F_CLONED,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  RTN_BLACKHOLE,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNICAST,
  RTN_UNREACHABLE,
  RTNH_F_ONLINK,
  RTPROT_BOOT,
  RTPROT_KERNEL,
} from "./constants";
import {
  type Attribute,
  change,
  decodeAttributes,
  dump,
  type NetlinkMessage,
  type NetlinkRequest,
  viewOf,
} from "./message";
import { readU32, u32 } from "./scalars";

export interface Route {
  /** struct rtmsg, less the flags that only tell. */
  header: Uint8Array;
  attributes: ReadonlyMap<number, Uint8Array>;
}

const headerSize = 12;
const [familyAt, tableAt, protocolAt, typeAt, flagsAt] = [0, 4, 5, 7, 8];
const taken = [RTA_DST, RTA_SRC, RTA_GATEWAY, RTA_VIA, RTA_PREFSRC, RTA_PRIORITY, RTA_TABLE, RTA_PREF];
const types = [RTN_UNICAST, RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, RTN_THROW];

/** Asks for all routes of all tables. */
export function getRoutes(): NetlinkRequest {
  return dump(RTM_GETROUTE, Uint8Array.of(AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
}

/**
 * Reads a route that somebody made; undefined for those that come with addresses and interfaces by themselves, those of the
 * table "local", and cached ones.
 */
export function decodeRoute({ type, body }: NetlinkMessage): Route | undefined {
  if (type !== RTM_NEWROUTE || body.length < headerSize) return undefined;
  const header = Uint8Array.from(body.subarray(0, headerSize));
  const view = viewOf(header);
  const flags = view.getUint32(flagsAt, true);
  const family = header[familyAt]!;
  if ((family !== AF_INET && family !== AF_INET6) || (flags & RTM_F_CLONED) !== 0) return undefined;
  if (header[protocolAt] === RTPROT_KERNEL || !types.includes(header[typeAt]!)) return undefined;
  const attributes = decodeAttributes(body, headerSize);
  if ((readU32(attributes.get(RTA_TABLE)) ?? header[tableAt]) === RT_TABLE_LOCAL) return undefined;
  view.setUint32(flagsAt, flags & RTNH_F_ONLINK, true);
  return { header, attributes };
}

/** Whether a route leads over a router, which another route must lead to. */
export function hasGateway({ attributes }: Route): boolean {
  return [RTA_GATEWAY, RTA_VIA, RTA_MULTIPATH].some((type) => attributes.has(type));
}

/** The interfaces that a route leads out of. */
export function interfacesOf({ attributes }: Route): number[] {
  const one = readU32(attributes.get(RTA_OIF));
  return [...(one === undefined ? [] : [one]), ...nextHops(attributes.get(RTA_MULTIPATH)).map(({ index }) => index)];
}

/** Makes a route. @param index gives for an interface of the route the one to use instead */
export function addRoute(route: Route, index: (from: number) => number): NetlinkRequest {
  const isIpv6 = route.header[familyAt] === AF_INET6;
  const flags = NLM_F_CREATE | (isIpv6 ? NLM_F_APPEND : NLM_F_EXCL);
  return change(RTM_NEWROUTE, flags, route.header, attributesOf(route, index));
}

export function deleteRoute(route: Route, index: (from: number) => number): NetlinkRequest {
  return change(RTM_DELROUTE, 0, route.header, attributesOf(route, index));
}

function attributesOf({ attributes }: Route, index: (from: number) => number): Attribute[] {
  const all: Attribute[] = [];
  for (const type of taken) {
    const value = attributes.get(type);
    if (value !== undefined) all.push([type, value]);
  }
  const interfaceIndex = readU32(attributes.get(RTA_OIF));
  if (interfaceIndex !== undefined) all.push([RTA_OIF, u32(index(interfaceIndex))]);
  const metrics = attributes.get(RTA_METRICS);
  if (metrics !== undefined) all.push([RTA_METRICS, metrics]);
  const multipath = attributes.get(RTA_MULTIPATH);
  if (multipath !== undefined) {
    const mapped = Uint8Array.from(multipath);
    for (const hop of nextHops(multipath)) viewOf(mapped).setInt32(hop.at + 4, index(hop.index), true);
    all.push([RTA_MULTIPATH, mapped]);
  }
  return all;
}

/** The members of RTA_MULTIPATH, struct rtnexthop: where they are, and their interfaces. */
function nextHops(bytes: Uint8Array = new Uint8Array()): { at: number; index: number }[] {
  const hops: { at: number; index: number }[] = [];
  const view = viewOf(bytes);
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < 8) break;
    hops.push({ at, index: view.getInt32(at + 4, true) });
    at += (length + 3) & ~3;
  }
  return hops;
}

/** The route to everywhere over a router. */
export function defaultRoute(gateway: Uint8Array, index: number): Route {
  const family = gateway.length === 4 ? AF_INET : AF_INET6;
  return {
    header: Uint8Array.of(family, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST, 0, 0, 0, 0),
    attributes: new Map([
      [RTA_GATEWAY, gateway],
      [RTA_OIF, u32(index)],
    ]),
  };
}
