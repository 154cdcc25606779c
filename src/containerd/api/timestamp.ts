/** The API's times: `google.protobuf.Timestamp`, and the seconds of the old wire. */
import { second } from "../../base/time";
import type { Message } from "./messages";

/** Go's zero time, the first moment of the year 1, by which clients say "none". */
const zero = -62_135_596_800n;
/** The first second of the year 10000. */
const end = 253_402_300_800n;

/** The moment that a timestamp means; undefined for Go's zero time, and "invalid" for none that Go would take. */
export function fromTimestamp({ seconds = 0n, nanos = 0 }: Message<"Timestamp">): bigint | undefined | "invalid" {
  if (seconds < zero || seconds >= end || nanos < 0 || nanos >= 1e9) return "invalid";
  return seconds === zero && nanos === 0 ? undefined : timeOf({ seconds, nanos });
}

/** The moment of a timestamp that is known to be good. */
export function timeOf({ seconds = 0n, nanos = 0 }: Message<"Timestamp">): bigint {
  return seconds * second + BigInt(nanos);
}

export function toTimestamp(at: bigint): Message<"Timestamp"> {
  const nanos = ((at % second) + second) % second;
  return { seconds: (at - nanos) / second, nanos: Number(nanos) };
}

/** The seconds of the old wire. */
export function toSeconds(at: bigint): bigint {
  return at / second;
}

export function fromSeconds(seconds: bigint): bigint {
  return seconds * second;
}
