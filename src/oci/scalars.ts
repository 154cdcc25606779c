/** Readers of single values: strings, numbers, names out of a set. */
import { expected, mismatch, quote } from "./mismatch";
import { array, checked, type Reader } from "./reader";

/** A string. None may hold a null byte: all of them end as C strings somewhere. */
export const string: Reader<string> = (value) => {
  if (typeof value !== "string") return expected("a string", value);
  if (value.includes("\0")) return mismatch("must not contain a null byte");
  return value;
};

export const boolean: Reader<boolean> = (value) => (typeof value === "boolean" ? value : expected("a boolean", value));

function read64(value: unknown, low: bigint, high: bigint): bigint {
  if (typeof value !== "bigint" && typeof value !== "number") return expected("an integer", value);
  if (typeof value === "number" && !Number.isInteger(value)) return mismatch(`expected an integer, got ${value}`);
  const integer = BigInt(value);
  if (integer < low || integer > high) return mismatch(`must be between ${low} and ${high}, got ${value}`);
  return integer;
}

/** An integer from `low` to `high`, both safe. */
export function integer(low: number, high: number): Reader<number> {
  return (value) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= low && value <= high) return value;
    return Number(read64(value, BigInt(low), BigInt(high)));
  };
}

export const uint16 = integer(0, 0xffff);
export const uint32 = integer(0, 0xffff_ffff);
export const int32 = integer(-0x8000_0000, 0x7fff_ffff);

const MAX_INT64 = 0x7fff_ffff_ffff_ffffn;
const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

/** An integer of 64 bits, signed. Beyond 2^53 the nearest double, which is good enough for a limit. */
export const int64: Reader<number> = (value) =>
  Number.isSafeInteger(value) ? (value as number) : Number(read64(value, -MAX_INT64 - 1n, MAX_INT64));

/** The same, where -1 is "unlimited": specifications before 1.0 had these unsigned, and clients of that time write 2^64-1 for it. */
export const limit64: Reader<number> = (value) => (value === MAX_UINT64 ? -1 : int64(value));

/** An integer of 64 bits, unsigned; beyond 2^53 as int64. */
export const uint64: Reader<number> = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : Number(read64(value, 0n, MAX_UINT64));

/** An exact unsigned integer of 64 bits, in a form that survives JSON: beyond 2^53 its decimal digits. `BigInt(x)` reads both. */
export type Uint64 = number | string;
export const exactUint64: Reader<Uint64> = (value) => {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  return read64(value, 0n, MAX_UINT64).toString();
};

/** One of a fixed set of strings; `what` names the set in the message: `unknown namespace "foo"`. */
export function oneOf<const T extends string>(what: string, names: readonly T[]): Reader<T> {
  const known = new Set<unknown>(names);
  return (value) => (known.has(value) ? (value as T) : mismatch(`unknown ${what} ${quote(string(value))}`));
}

/** A path that begins at the root. */
export const absolutePath: Reader<string> = checked(string, (path) =>
  path.startsWith("/") ? undefined : "must be an absolute path",
);

const eachString = array(string, "strings");

/** A list of strings, in one pass without a call for each: a seccomp profile has hundreds. */
export const strings: Reader<string[]> = (value) => {
  if (!Array.isArray(value)) return eachString(value);
  for (let index = 0; index < value.length; index++) {
    const item: unknown = value[index];
    if (typeof item !== "string" || item.includes("\0")) return eachString(value);
  }
  return value;
};
