/** The values that attributes hold. */
import { isIPv4, isIPv6 } from "node:net";
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
  const runs = [...groups.join(":").matchAll(/(?<![^:])0(?::0)+(?![^:])/g)].map(([run]) => run);
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), "");
  if (longest === "") return groups.join(":");
  const [before = "", after = ""] = splitAt(groups.join(":"), longest);
  return `${before.replace(/:$/, "")}::${after.replace(/^:/, "")}`;
}

function splitAt(whole: string, part: string): [string, string] {
  const match = new RegExp(`(?<![^:])${part}(?![^:])`).exec(whole)!;
  return [whole.slice(0, match.index), whole.slice(match.index + part.length)];
}

/** The bytes of an address, 4 or 16; undefined when it is none. */
export function parseIp(ip: string): Uint8Array | undefined {
  if (isIPv4(ip)) return Uint8Array.from(ip.split("."), Number);
  if (!isIPv6(ip) || ip.includes("%")) return undefined;
  const plain = ip.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [a * 256 + +b, c * 256 + +d].map((group) => group.toString(16)).join(":"),
  );
  const [head = "", tail] = plain.split("::");
  const groups = (side: string) => (side === "" ? [] : side.split(":"));
  const [left, right] = [groups(head), groups(tail ?? "")];
  const middle = Array<string>(tail === undefined ? 0 : 8 - left.length - right.length).fill("0");
  const bytes = new Uint8Array(16);
  for (const [index, group] of [...left, ...middle, ...right].entries()) {
    viewOf(bytes).setUint16(2 * index, Number.parseInt(group, 16));
  }
  return bytes;
}
