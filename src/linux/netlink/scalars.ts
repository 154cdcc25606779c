/** The values that attributes hold. */
import { viewOf } from "./message";

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, true);
  return bytes;
}

/** The number in an attribute of four bytes; undefined when it is missing or too short. */
export function readU32(bytes: Uint8Array | undefined): number | undefined {
  return bytes === undefined || bytes.length < 4 ? undefined : viewOf(bytes).getUint32(0, true);
}

/** Text with a zero byte. */
export function text(value: string): Uint8Array {
  return Buffer.from(`${value}\0`);
}

/** Text up to its zero byte. */
export function readText(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8").split("\0", 1)[0];
}

/** `02:42:ac:11:00:02`. */
export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** The bytes of a MAC address; undefined when it is none. */
export function parseMac(mac: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) return undefined;
  return Uint8Array.from(mac.split(":"), (part) => Number.parseInt(part, 16));
}

/** An IPv4 or IPv6 address in its usual form. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    viewOf(bytes)
      .getUint16(2 * index)
      .toString(16),
  );
  // As RFC 5952 has it: the longest run of at least two zeros, the first of equals.
  let [first, length] = [0, 1];
  for (let from = 0; from < groups.length; from++) {
    let to = from;
    while (groups[to] === "0") to++;
    if (to - from > length) [first, length] = [from, to - from];
  }
  if (length === 1) return groups.join(":");
  return `${groups.slice(0, first).join(":")}::${groups.slice(first + length).join(":")}`;
}

const octet = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const ipv4 = new RegExp(`^${octet}(?:\\.${octet}){3}$`);

/** The bytes of an address, 4 or 16, as inet_pton(3) takes it; undefined when it is none. */
export function parseIp(ip: string): Uint8Array | undefined {
  if (ipv4.test(ip)) return Uint8Array.from(ip.split("."), Number);
  const sides = ip.split("::").map((side, index, { length }) => groupsOf(side, index + 1 === length));
  const [left, right] = sides;
  if (left === undefined || sides.length > 2 || sides.includes(undefined)) return undefined;
  const zeros = 8 - left.length - (right?.length ?? 0);
  if (right === undefined ? zeros !== 0 : zeros < 1) return undefined;
  const bytes = new Uint8Array(16);
  for (const [index, group] of [...left, ...Array<number>(zeros).fill(0), ...(right ?? [])].entries()) {
    viewOf(bytes).setUint16(2 * index, group);
  }
  return bytes;
}

/** The numbers of one side of an IPv6 address, of which the last two of all may be written as an IPv4 address; undefined when something else stands there. */
function groupsOf(side: string, isLast: boolean): number[] | undefined {
  if (side === "") return [];
  const words = side.split(":");
  const last = words.at(-1)!;
  if (isLast && ipv4.test(last)) {
    const [a = 0, b = 0, c = 0, d = 0] = last.split(".").map(Number);
    words.splice(-1, 1, ...[a * 256 + b, c * 256 + d].map((group) => group.toString(16)));
  }
  return words.every((word) => /^[0-9a-f]{1,4}$/i.test(word))
    ? words.map((word) => Number.parseInt(word, 16))
    : undefined;
}
