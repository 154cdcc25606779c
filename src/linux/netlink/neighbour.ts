/** Neighbours, the entries of ARP and neighbour discovery: RTM_*NEIGH, struct ndmsg. */
import { AF_INET, AF_INET6, AF_UNSPEC } from "../constants";
import {
  NDA_DST,
  NDA_LLADDR,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  NTF_PROXY,
  NUD_PERMANENT,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from "./constants";
import { change, decodeAttributes, dump, type NetlinkMessage, type NetlinkRequest, viewOf } from "./message";

/** A neighbour that somebody entered for good. */
export interface Neighbour {
  index: number;
  family: number;
  ip: Uint8Array;
  mac: Uint8Array;
}

const headerSize = 12;

function header(family: number, index = 0, state = 0): Uint8Array {
  const bytes = new Uint8Array(headerSize);
  const view = viewOf(bytes);
  view.setUint8(0, family);
  view.setInt32(4, index, true);
  view.setUint16(8, state, true);
  return bytes;
}

/** Asks for all neighbours. */
export function getNeighbours(): NetlinkRequest {
  return dump(RTM_GETNEIGH, header(AF_UNSPEC));
}

/** Reads a neighbour; undefined for those that the kernel found out. */
export function decodeNeighbour({ type, body }: NetlinkMessage): Neighbour | undefined {
  if (type !== RTM_NEWNEIGH || body.length < headerSize) return undefined;
  const view = viewOf(body);
  const family = body[0]!;
  const attributes = decodeAttributes(body, headerSize);
  const [ip, mac] = [attributes.get(NDA_DST), attributes.get(NDA_LLADDR)];
  const isPermanent = (view.getUint16(8, true) & NUD_PERMANENT) !== 0 && (body[10]! & NTF_PROXY) === 0;
  if (!isPermanent || ip === undefined || mac === undefined || (family !== AF_INET && family !== AF_INET6))
    return undefined;
  return { index: view.getInt32(4, true), family, ip, mac };
}

export function addNeighbour({ index, family, ip, mac }: Neighbour): NetlinkRequest {
  return change(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header(family, index, NUD_PERMANENT), [
    [NDA_DST, ip],
    [NDA_LLADDR, mac],
  ]);
}

export function deleteNeighbour({ index, family, ip }: Neighbour): NetlinkRequest {
  return change(RTM_DELNEIGH, 0, header(family, index), [[NDA_DST, ip]]);
}
