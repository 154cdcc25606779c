/**
 * Readers: functions that take a value of unknown origin and return it with its type, or say what is wrong with it and
 * where. The types of the OCI documents are inferred from their readers (`Infer`), so the two cannot drift apart.
 *
 * Why not a library: `docs/dependencies.md` has the figures. What Go's decoder lets pass passes here too, because every
 * client of a runtime is written in Go: a null is as good as an absent field, unknown fields are ignored.
 */
import { RunvError } from "../base/error";
import { quote as quoteAll } from "../base/escape";

/** Takes any value; returns it typed, or throws a Mismatch. */
export type Reader<T> = (value: unknown) => T;

/** A field that may be absent, and what stands for it then. */
export class Absentable<T> {
  constructor(
    readonly read: Reader<T>,
    readonly fallback: (() => T) | undefined,
    /** Whether an empty string is as good as none, as Go's `omitempty` has it. */
    readonly emptyIsAbsent = false,
  ) {}
}
interface Optional<T> extends Absentable<T> {
  fallback: undefined;
}
interface Defaulted<T> extends Absentable<T> {
  fallback: () => T;
}

/** The type that a reader returns. */
export type Infer<R> = R extends Reader<infer T> ? T : R extends Absentable<infer T> ? T : never;

type Fields = Record<string, Reader<unknown> | Absentable<unknown>>;
type Record_<F extends Fields> = {
  [K in keyof F as F[K] extends Optional<unknown> ? never : K]: Infer<F[K]>;
} & {
  [K in keyof F as F[K] extends Optional<unknown> ? K : never]?: Infer<F[K]>;
};
type Flat<T> = { [K in keyof T]: T[K] };

/** What is wrong with a value; the readers of arrays and objects put the way to it in front. */
export class Mismatch extends Error {
  readonly path: (string | number)[] = [];
}

/** Refuses the value at hand: `says` follows the path in the message. */
export function mismatch(says: string): never {
  throw new Mismatch(says);
}

/** A value for a message: quoted, on one line, without control characters, and short. */
export function quote(text: string): string {
  return quoteAll(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "bigint") return "a number";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function expected(what: string, value: unknown): never {
  return mismatch(`expected ${what}, got ${kindOf(value)}`);
}

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
  return (value) =>
    names.includes(string(value) as T) ? (value as T) : mismatch(`unknown ${what} ${quote(value as string)}`);
}

/** A list; `what` is the plural of its items for the message about something that is none: `strings`. */
export function array<T>(item: Reader<T>, what = "objects"): Reader<T[]> {
  return (value) => {
    if (!Array.isArray(value)) return expected(`an array of ${what}`, value);
    const out: T[] = [];
    try {
      for (const element of value) out.push(item(element));
    } catch (error) {
      if (error instanceof Mismatch) error.path.unshift(out.length);
      throw error;
    }
    return out;
  };
}

export const strings: Reader<string[]> = array(string, "strings");

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return expected("an object", value);
  return value as Record<string, unknown>;
}

/** An object whose keys are free, as a JSON object of names and values. A null value is an absent one. */
export function map<T>(item: Reader<T>): Reader<Record<string, T>> {
  return (value) => {
    const fields = fieldsOf(value);
    const out: Record<string, T> = {};
    let key = "";
    try {
      for (key of Object.keys(fields)) {
        string(key);
        if (key !== "__proto__" && fields[key] !== null) out[key] = item(fields[key]);
      }
    } catch (error) {
      if (error instanceof Mismatch) error.path.unshift(key);
      throw error;
    }
    return out;
  };
}

/** An object with known fields. Others are ignored, as the specification's "Extensibility" section asks. */
export function object<F extends Fields>(fields: F): Reader<Flat<Record_<F>>> {
  return (value) => {
    const given = fieldsOf(value);
    const out: Record<string, unknown> = {};
    let key = "";
    try {
      for (key in fields) {
        const field = fields[key] as Reader<unknown> | Absentable<unknown>;
        const item = Object.hasOwn(given, key) ? given[key] : undefined;
        if (typeof field === "function") {
          out[key] = item === undefined || item === null ? mismatch("is required") : field(item);
        } else if (item !== undefined && item !== null && !(item === "" && field.emptyIsAbsent)) {
          out[key] = field.read(item);
        } else if (field.fallback !== undefined) out[key] = field.fallback();
      }
    } catch (error) {
      if (error instanceof Mismatch) error.path.unshift(key);
      throw error;
    }
    return out as Flat<Record_<F>>;
  };
}

/** A field that may be absent or null. */
export function optional<T>(read: Reader<T>): Optional<T> {
  return new Absentable(read, undefined) as Optional<T>;
}

/** A string that may be absent, null or empty, which all mean the same. */
export function optionalString<T extends string>(read: Reader<T>): Optional<T> {
  return new Absentable(read, undefined, true) as Optional<T>;
}

/** A field that stands for `fallback()` when it is absent or null. */
export function defaulted<T>(read: Reader<T>, fallback: () => NoInfer<T>): Defaulted<T> {
  return new Absentable(read, fallback) as Defaulted<T>;
}

/** A list that is empty when absent. */
export function list<T>(item: Reader<T>, what = "objects"): Defaulted<T[]> {
  return defaulted(array(item, what), () => []);
}

/** `read`, and then a look at what came out: `complaint` returns what is wrong with it, or nothing. */
export function checked<T>(read: Reader<T>, complaint: (value: T) => string | undefined): Reader<T> {
  return (value) => {
    const typed = read(value);
    const wrong = complaint(typed);
    return wrong === undefined ? typed : mismatch(wrong);
  };
}

/** A path that begins at the root. */
export const absolutePath: Reader<string> = checked(string, (path) =>
  path.startsWith("/") ? undefined : "must be an absolute path",
);

/** `process.args[2]`; a key with other characters than letters, digits, - and _ as `linux.sysctl["net.core"]`. */
function formatPath(path: readonly (string | number)[]): string {
  let out = "";
  for (const step of path) {
    if (typeof step === "number") out += `[${step}]`;
    else if (!/^[\w-]+$/.test(step)) out += `[${quote(step)}]`;
    else out += out === "" ? step : `.${step}`;
  }
  return out;
}

/**
 * Runs a reader on a whole document.
 * @throws RunvError CONFIG_INVALID: `mounts[2].destination: must be an absolute path`
 */
export function readDocument<T>(read: Reader<T>, document: unknown): T {
  try {
    return read(document);
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    const path = formatPath(error.path);
    throw new RunvError("CONFIG_INVALID", path === "" ? error.message : `${path}: ${error.message}`);
  }
}

/** Refuses a document for what its fields say together; `path` names the field at fault. */
export function refuse(path: string, says: string): never {
  throw new RunvError("CONFIG_INVALID", `${path}: ${says}`);
}
