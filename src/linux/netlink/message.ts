/** Netlink messages: a header, a structure of their family, and attributes (netlink(7)). */
import { NLA_F_NESTED, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from "./constants";

/** An attribute: its type, and bytes, or attributes of its own. */
export type Attribute = readonly [type: number, value: Uint8Array | readonly Attribute[]];

/** What is asked of the kernel; it becomes bytes when it is sent, with a number of its own. */
export interface NetlinkRequest {
  type: number;
  flags: number;
  /** The family's structure and the attributes. */
  body: Uint8Array;
}

/** A message of the kernel's. */
export interface NetlinkMessage {
  type: number;
  flags: number;
  sequence: number;
  body: Uint8Array;
}

const headerSize = 16;
const align = (size: number): number => (size + 3) & ~3;

/** A change, which the kernel acknowledges. */
export function change(type: number, flags: number, header: Uint8Array, attributes: readonly Attribute[] = []) {
  const body = Buffer.concat([header, encodeAttributes(attributes)]);
  return { type, flags: NLM_F_REQUEST | NLM_F_ACK | flags, body } satisfies NetlinkRequest;
}

/** A question that is answered with all there is. */
export function dump(type: number, header: Uint8Array): NetlinkRequest {
  return { type, flags: NLM_F_REQUEST | NLM_F_DUMP, body: header };
}

/** The bytes of a request. */
export function encodeRequest({ type, flags, body }: NetlinkRequest, sequence: number): Uint8Array {
  const bytes = new Uint8Array(headerSize + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  bytes.set(body, headerSize);
  return bytes;
}

/** Cuts what one recv(2) gave into messages. What is cut off or too short ends it: the kernel sends no such thing, a guest may. */
export function decodeMessages(bytes: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  const view = viewOf(bytes);
  for (let at = 0; at + headerSize <= bytes.length; ) {
    const length = view.getUint32(at, true);
    if (length < headerSize || at + length > bytes.length) break;
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      body: bytes.subarray(at + headerSize, at + length),
    });
    at += align(length);
  }
  return messages;
}

export function encodeAttributes(attributes: readonly Attribute[]): Uint8Array {
  return Buffer.concat(attributes.map(encodeAttribute));
}

function encodeAttribute([type, value]: Attribute): Uint8Array {
  const content = value instanceof Uint8Array ? value : encodeAttributes(value);
  const bytes = new Uint8Array(align(4 + content.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 4 + content.length, true);
  view.setUint16(2, type, true);
  bytes.set(content, 4);
  return bytes;
}

/** The attributes behind the first `from` bytes; the last of a type counts. */
export function decodeAttributes(bytes: Uint8Array, from = 0): Map<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>();
  const view = viewOf(bytes);
  for (let at = align(from); at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > bytes.length) break;
    attributes.set(view.getUint16(at + 2, true) & ~NLA_F_NESTED, bytes.subarray(at + 4, at + length));
    at += align(length);
  }
  return attributes;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
