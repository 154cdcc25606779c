/** Addresses of interfaces: RTM_*ADDR, struct ifaddrmsg. */
import { AF_INET, AF_INET6, AF_UNSPEC } from "../constants";
import {
  IFA_ADDRESS,
  IFA_BROADCAST,
  IFA_CACHEINFO,
  IFA_F_DADFAILED,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_PERMANENT,
  IFA_FLAGS,
  IFA_LABEL,
  IFA_LOCAL,
  IFA_RT_PRIORITY,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_NEWADDR,
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
import { formatIp, parseIp, readU32, u32 } from "./scalars";

export interface Address {
  /** The interface that it belongs to. */
  index: number;
  family: number;
  prefixLength: number;
  scope: number;
  /** What the kernel said of it, by IFA_* type. */
  attributes: ReadonlyMap<number, Uint8Array>;
}

const headerSize = 8;
/** What makes the address, and is taken over as it is. */
const taken = [IFA_LOCAL, IFA_BROADCAST, IFA_ADDRESS, IFA_LABEL, IFA_RT_PRIORITY];

function header({ index, family, prefixLength, scope }: Omit<Address, "attributes">, flags = 0): Uint8Array {
  const bytes = Uint8Array.of(family, prefixLength, flags, scope, 0, 0, 0, 0);
  viewOf(bytes).setUint32(4, index, true);
  return bytes;
}

/** Asks for all addresses. */
export function getAddresses(): NetlinkRequest {
  return dump(RTM_GETADDR, header({ index: 0, family: AF_UNSPEC, prefixLength: 0, scope: 0 }));
}

/**
 * Gives an interface an address; one that it has already is replaced. An IPv6 address may be used at once: that it is not anybody
 * else's was found out where it was copied from.
 */
export function addAddress(address: Address): NetlinkRequest {
  const { family, attributes } = address;
  const kept = (readU32(attributes.get(IFA_FLAGS)) ?? 0) & IFA_F_NOPREFIXROUTE;
  const flags = kept | (family === AF_INET6 ? IFA_F_NODAD : 0);
  const all: Attribute[] = select(address, taken);
  // The header has room for the first eight.
  if (flags > 0xff) all.push([IFA_FLAGS, u32(flags)]);
  if (!isPermanent(address)) all.push(...select(address, [IFA_CACHEINFO]));
  return change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header(address, flags), all);
}

export function deleteAddress(address: Address): NetlinkRequest {
  return change(RTM_DELADDR, 0, header(address), select(address, [IFA_LOCAL, IFA_ADDRESS]));
}

/** Reads an address; undefined when the message is none, or the address cannot be used because somebody else has it. */
export function decodeAddress({ type, body }: NetlinkMessage): Address | undefined {
  if (type !== RTM_NEWADDR || body.length < headerSize) return undefined;
  const view = viewOf(body);
  const attributes = decodeAttributes(body, headerSize);
  const flags = readU32(attributes.get(IFA_FLAGS)) ?? body[2]!;
  const family = body[0]!;
  if ((flags & IFA_F_DADFAILED) !== 0 || (family !== AF_INET && family !== AF_INET6)) return undefined;
  return { index: view.getUint32(4, true), family, prefixLength: body[1]!, scope: body[3]!, attributes };
}

/** `172.17.0.2/16`. */
export function formatAddress({ prefixLength, attributes }: Address): string {
  return `${formatIp(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS)!)}/${prefixLength}`;
}

/** The address that `172.17.0.2/16` says; undefined when it says none. */
export function parseAddress(text: string, index = 0): Address | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const ip = match === null ? undefined : parseIp(match[1]!);
  const prefixLength = Number(match?.[2]);
  if (ip === undefined || prefixLength > ip.length * 8) return undefined;
  const attributes = new Map([
    [IFA_ADDRESS, ip],
    [IFA_LOCAL, ip],
    [IFA_FLAGS, u32(IFA_F_PERMANENT)],
  ]);
  if (ip.length === 4) attributes.set(IFA_BROADCAST, broadcast(ip, prefixLength));
  return { index, family: ip.length === 4 ? AF_INET : AF_INET6, prefixLength, scope: 0, attributes };
}

function broadcast(ip: Uint8Array, prefixLength: number): Uint8Array {
  const hosts = prefixLength === 0 ? 0xffffffff : 2 ** (32 - prefixLength) - 1;
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, (viewOf(ip).getUint32(0) | hosts) >>> 0);
  return bytes;
}

function isPermanent({ attributes }: Address): boolean {
  return ((readU32(attributes.get(IFA_FLAGS)) ?? 0) & IFA_F_PERMANENT) !== 0;
}

function select({ attributes }: Address, types: readonly number[]): Attribute[] {
  return types.flatMap((type): Attribute[] => {
    const value = attributes.get(type);
    return value === undefined ? [] : [[type, value]];
  });
}
