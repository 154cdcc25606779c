/** `google.protobuf.Timestamp`. */
import { second } from "../base/time";
import { type MessageOf, one } from "./fields";

/** The message, for the tables of those that have it in them. */
export const timestampMessage = { Timestamp: { seconds: one(1, "int64"), nanos: one(2, "int32") } } as const;

export type Timestamp = MessageOf<typeof timestampMessage, "Timestamp">;

/** Go's zero time, the first moment of the year 1, by which clients say "none". */
const zero = -62_135_596_800n;
/** The first second of the year 10000. */
const end = 253_402_300_800n;

/** The moment that a timestamp means; undefined for Go's zero time, and "invalid" for none that Go would take. */
export function fromTimestamp({ seconds = 0n, nanos = 0 }: Timestamp): bigint | undefined | "invalid" {
  if (seconds < zero || seconds >= end || nanos < 0 || nanos >= 1e9) return "invalid";
  return seconds === zero && nanos === 0 ? undefined : timeOf({ seconds, nanos });
}

/** The moment of a timestamp that is known to be good. */
export function timeOf({ seconds = 0n, nanos = 0 }: Timestamp): bigint {
  return seconds * second + BigInt(nanos);
}

export function toTimestamp(at: bigint): Timestamp {
  const nanos = ((at % second) + second) % second;
  return { seconds: (at - nanos) / second, nanos: Number(nanos) };
}
