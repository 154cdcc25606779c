/** Network interfaces: RTM_*LINK, struct ifinfomsg. */
import { AF_INET6, AF_UNSPEC } from "../constants";
import {
  IFF_NOARP,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_AF_SPEC,
  IFLA_IFNAME,
  IFLA_INET6_ADDR_GEN_MODE,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  IFLA_NET_NS_PID,
  IN6_ADDR_GEN_MODE_NONE,
  RTM_GETLINK,
  RTM_NEWLINK,
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
import { formatMac, parseMac, readText, readU32, text, u32 } from "./scalars";

export interface Link {
  index: number;
  name: string;
  /** ARPHRD_*. */
  type: number;
  up: boolean;
  /** It asks for the addresses of neighbours, and answers. */
  arp: boolean;
  mtu: number;
  /** Empty when the interface has none. */
  mac: string;
  /** "veth", "tun", "macvlan"…; undefined for hardware. */
  kind: string | undefined;
  /** The bridge or bond that it belongs to. */
  master: number | undefined;
}

/** What of a link can be changed. */
export interface LinkChange {
  name?: string;
  mac?: string;
  mtu?: number;
  up?: boolean;
  arp?: boolean;
  /** No link-local address is made when it goes up: it is given one. */
  noLinkLocal?: boolean;
  /** A descriptor of the network namespace that it is to be in. */
  namespace?: number;
  /** A process in whose network namespace it is to be. */
  namespaceOf?: number;
}

const headerSize = 16;

function header(index: number, flags = 0, mask = 0): Uint8Array {
  const bytes = new Uint8Array(headerSize);
  const view = viewOf(bytes);
  view.setUint8(0, AF_UNSPEC);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, mask, true);
  return bytes;
}

/** Asks for all links. */
export function getLinks(): NetlinkRequest {
  return dump(RTM_GETLINK, header(0));
}

/** Changes a link. */
export function setLink(
  index: number,
  { name, mac, mtu, up, arp, noLinkLocal, namespace, namespaceOf }: LinkChange,
): NetlinkRequest {
  const attributes: Attribute[] = [];
  if (mac !== undefined) attributes.push([IFLA_ADDRESS, parseMac(mac)!]);
  if (name !== undefined) attributes.push([IFLA_IFNAME, text(name)]);
  if (mtu !== undefined) attributes.push([IFLA_MTU, u32(mtu)]);
  if (namespace !== undefined) attributes.push([IFLA_NET_NS_FD, u32(namespace)]);
  if (namespaceOf !== undefined) attributes.push([IFLA_NET_NS_PID, u32(namespaceOf)]);
  if (noLinkLocal === true) {
    const mode: Attribute = [IFLA_INET6_ADDR_GEN_MODE, Uint8Array.of(IN6_ADDR_GEN_MODE_NONE)];
    attributes.push([IFLA_AF_SPEC, [[AF_INET6, [mode]]]]);
  }
  const flags = (up === true ? IFF_UP : 0) | (arp === false ? IFF_NOARP : 0);
  const mask = (up === undefined ? 0 : IFF_UP) | (arp === undefined ? 0 : IFF_NOARP);
  return change(RTM_NEWLINK, 0, header(index, flags, mask), attributes);
}

/** Moves a link into another network namespace, a descriptor, under a name. */
export function moveLink(index: number, namespace: number, name: string): NetlinkRequest {
  const attributes: Attribute[] = [
    [IFLA_NET_NS_FD, u32(namespace)],
    [IFLA_IFNAME, text(name)],
  ];
  return change(RTM_NEWLINK, 0, header(index), attributes);
}

/** Reads a link; undefined when the message is none. */
export function decodeLink({ type, body }: NetlinkMessage): Link | undefined {
  if (type !== RTM_NEWLINK || body.length < headerSize) return undefined;
  const view = viewOf(body);
  const attributes = decodeAttributes(body, headerSize);
  const info = decodeAttributes(attributes.get(IFLA_LINKINFO) ?? new Uint8Array());
  return {
    index: view.getInt32(4, true),
    name: readText(attributes.get(IFLA_IFNAME)) ?? "",
    type: view.getUint16(2, true),
    up: (view.getUint32(8, true) & IFF_UP) !== 0,
    arp: (view.getUint32(8, true) & IFF_NOARP) === 0,
    mtu: readU32(attributes.get(IFLA_MTU)) ?? 0,
    mac: formatMac(attributes.get(IFLA_ADDRESS) ?? new Uint8Array()),
    kind: readText(info.get(IFLA_INFO_KIND)),
    master: readU32(attributes.get(IFLA_MASTER)),
  };
}
