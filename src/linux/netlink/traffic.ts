/** Traffic control, tc(8): the ingress qdisc, and filters that send all that comes in out of another interface (tc-mirred(8)). */
import {
  ETH_P_ALL,
  ETH_P_ARP,
  ETH_P_IP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  NLA_F_NESTED,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELQDISC,
  RTM_GETQDISC,
  RTM_GETTFILTER,
  RTM_NEWQDISC,
  RTM_NEWTFILTER,
  TC_ACT_OK,
  TC_ACT_STOLEN,
  TC_H_INGRESS,
  TC_U32_TERMINAL,
  TCA_ACT_COOKIE,
  TCA_ACT_KIND,
  TCA_ACT_OPTIONS,
  TCA_EGRESS_MIRROR,
  TCA_EGRESS_REDIR,
  TCA_KIND,
  TCA_MIRRED_PARMS,
  TCA_OPTIONS,
  TCA_U32_ACT,
  TCA_U32_CLASSID,
  TCA_U32_SEL,
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
import { text, u32 } from "./scalars";

const headerSize = 20;
/** The handle ffff:0 that an ingress qdisc has. */
const ingressHandle = 0xffff0000;

/** struct tcmsg. */
function header(index: number, handle: number, parent: number, info = 0): Uint8Array {
  const bytes = new Uint8Array(headerSize);
  const view = viewOf(bytes);
  view.setInt32(4, index, true);
  view.setUint32(8, handle, true);
  view.setUint32(12, parent, true);
  view.setUint32(16, info, true);
  return bytes;
}

/** `tc qdisc add dev INDEX ingress`. */
export function addIngress(index: number): NetlinkRequest {
  const kind: Attribute = [TCA_KIND, text("ingress")];
  return change(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, header(index, ingressHandle, TC_H_INGRESS), [kind]);
}

/** `tc qdisc del dev INDEX ingress`. */
export function deleteIngress(index: number): NetlinkRequest {
  return change(RTM_DELQDISC, 0, header(index, ingressHandle, TC_H_INGRESS), [[TCA_KIND, text("ingress")]]);
}

/** Asks for all qdiscs. */
export function getQdiscs(): NetlinkRequest {
  return dump(RTM_GETQDISC, header(0, 0, 0));
}

/** The interface of an ingress qdisc, or one like it; undefined when the message is of another. */
export function decodeIngress({ type, body }: NetlinkMessage): number | undefined {
  if (type !== RTM_NEWQDISC || body.length < headerSize) return undefined;
  const view = viewOf(body);
  return view.getUint32(12, true) === TC_H_INGRESS ? view.getInt32(4, true) : undefined;
}

/**
 * `tc filter add dev FROM parent ffff: protocol all prio 9 u32 match u32 0 0 action mirred egress redirect dev TO`: every frame
 * that comes in at one interface goes out of the other, and this machine's own stack sees none of them.
 * @param cookie at most 16 bytes, by which the filter is known again
 */
export function redirect(from: number, to: number, cookie: string): NetlinkRequest {
  const action = mirred(TCA_EGRESS_REDIR, TC_ACT_STOLEN, to, cookie);
  return filter(from, { priority: 9, protocol: ETH_P_ALL, keys: [{ at: 0, mask: 0, value: 0 }], action });
}

/** `… protocol arp prio 1 u32 match u16 2 0xffff at 6 action mirred egress mirror dev TO`: both stacks hear the answers of ARP. */
export function mirrorArpReplies(from: number, to: number, cookie: string): NetlinkRequest {
  const action = mirred(TCA_EGRESS_MIRROR, TC_ACT_OK, to, cookie);
  return filter(from, { priority: 1, protocol: ETH_P_ARP, keys: [{ at: 4, mask: 0xffff, value: 2 }], action });
}

/**
 * `… protocol ip u32 match ip protocol P 0xff match ip ihl 5 0xf match ip sport S 0xffff match ip dport D MASK flowid :1`: these
 * packets are for this machine's own stack.
 */
export function keepReplies(
  from: number,
  protocol: "udp" | "tcp",
  sport: number,
  dport: { port: number; mask: number },
) {
  const keys = [
    { at: 0, mask: 0x0f000000, value: 0x05000000 },
    { at: 8, mask: 0x00ff0000, value: (protocol === "udp" ? IPPROTO_UDP : IPPROTO_TCP) << 16 },
    { at: 20, mask: 0xffff0000 + dport.mask, value: (sport << 16) + dport.port },
  ];
  return filter(from, { priority: protocol === "udp" ? 2 : 3, protocol: ETH_P_IP, keys });
}

interface Filter {
  priority: number;
  protocol: number;
  /** Words of the packet, behind its Ethernet header, that must be as `value` where `mask` has bits. */
  keys: readonly { at: number; mask: number; value: number }[];
  /** What is done; without one the packet goes on to the stack. */
  action?: readonly Attribute[];
}

function filter(index: number, { priority, protocol, keys, action }: Filter): NetlinkRequest {
  const info = ((priority << 16) | ((protocol & 0xff) << 8) | (protocol >> 8)) >>> 0;
  const verdict: Attribute = action === undefined ? [TCA_U32_CLASSID, u32(1)] : [TCA_U32_ACT, [[1, action]]];
  return change(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, header(index, 0, ingressHandle, info), [
    [TCA_KIND, text("u32")],
    [TCA_OPTIONS, [verdict, [TCA_U32_SEL, selector(keys)]]],
  ]);
}

/** The action mirred, with struct tc_mirred. */
function mirred(how: number, then: number, to: number, cookie: string): Attribute[] {
  const parameters = new Uint8Array(28);
  const view = viewOf(parameters);
  view.setInt32(8, then, true);
  view.setInt32(20, how, true);
  view.setUint32(24, to, true);
  return [
    [TCA_ACT_KIND, text("mirred")],
    [TCA_ACT_OPTIONS | NLA_F_NESTED, [[TCA_MIRRED_PARMS, parameters]]],
    [TCA_ACT_COOKIE, Buffer.from(cookie)],
  ];
}

/** struct tc_u32_sel. */
function selector(keys: Filter["keys"]): Uint8Array {
  const bytes = new Uint8Array(16 + 16 * keys.length);
  const view = viewOf(bytes);
  bytes[0] = TC_U32_TERMINAL;
  bytes[2] = keys.length;
  for (const [index, { at, mask, value }] of keys.entries()) {
    view.setUint32(16 + 16 * index, mask);
    view.setUint32(20 + 16 * index, value);
    view.setInt32(24 + 16 * index, at, true);
  }
  return bytes;
}

/** A filter of `redirect`. */
export interface Redirect {
  /** Where frames go; 0 when that interface is no more. */
  to: number;
  cookie: string;
}

/** Asks for the filters of an ingress qdisc. */
export function getFilters(index: number): NetlinkRequest {
  return dump(RTM_GETTFILTER, header(index, 0, ingressHandle));
}

/** Reads a filter; undefined when it is none that `redirect` makes. */
export function decodeRedirect({ type, body }: NetlinkMessage): Redirect | undefined {
  if (type !== RTM_NEWTFILTER || body.length < headerSize) return undefined;
  const inside = (bytes: Uint8Array | undefined) => decodeAttributes(bytes ?? new Uint8Array());
  const options = inside(decodeAttributes(body, headerSize).get(TCA_OPTIONS));
  const action = inside(inside(options.get(TCA_U32_ACT)).get(1));
  const parameters = inside(action.get(TCA_ACT_OPTIONS)).get(TCA_MIRRED_PARMS);
  if (parameters === undefined || parameters.length < 28) return undefined;
  const mark = Buffer.from(action.get(TCA_ACT_COOKIE) ?? []).toString();
  return { to: viewOf(parameters).getUint32(24, true), cookie: mark };
}
