/**
 * Readers: functions that take a value of unknown origin and return it with its type, or say what is wrong with it and
 * where. The types of the OCI documents are inferred from their readers (`Infer`), so the two cannot drift apart.
 *
 * Why not a library: `docs/dependencies.md` has the figures. What Go's decoder lets pass passes here too, because every
 * client of a runtime is written in Go: a null is as good as an absent field, unknown fields are ignored.
 */
import { expected, Mismatch, mismatch } from "./mismatch";

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

/** What a reader reads, for those who want to know all fields of a document. */
export type Shape =
  | { kind: "object"; fields: Readonly<Record<string, Reader<unknown> | Absentable<unknown>>> }
  | { kind: "array" | "map"; item: Reader<unknown> };

const shapes = new WeakMap<Reader<unknown>, Shape>();

/** The shape of an object, array or map; undefined for a single value. */
export function shapeOf(read: Reader<unknown>): Shape | undefined {
  return shapes.get(read);
}

function shaped<R extends Reader<unknown>>(read: R, shape: Shape | undefined): R {
  if (shape !== undefined) shapes.set(read, shape);
  return read;
}

type Fields = Record<string, Reader<unknown> | Absentable<unknown>>;
type FieldsOf<F extends Fields> = {
  [K in keyof F as F[K] extends Optional<unknown> ? never : K]: Infer<F[K]>;
} & {
  [K in keyof F as F[K] extends Optional<unknown> ? K : never]?: Infer<F[K]>;
};
type Flat<T> = { [K in keyof T]: T[K] };

/** A list; `what` is the plural of its items for the message about something that is none: `strings`. */
export function array<T>(item: Reader<T>, what = "objects"): Reader<T[]> {
  const read: Reader<T[]> = (value) => {
    if (!Array.isArray(value)) return expected(`an array of ${what}`, value);
    const out: T[] = [];
    try {
      for (let index = 0; index < value.length; index++) out.push(item(value[index]));
    } catch (error) {
      if (error instanceof Mismatch) error.path.unshift(out.length);
      throw error;
    }
    return out;
  };
  return shaped(read, { kind: "array", item });
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return expected("an object", value);
  return value as Record<string, unknown>;
}

/** An object whose keys are free, as a JSON object of names and values. A null value is an absent one. */
export function map<T>(item: Reader<T>): Reader<Record<string, T>> {
  const read: Reader<Record<string, T>> = (value) => {
    const fields = fieldsOf(value);
    const out: Record<string, T> = {};
    let key = "";
    try {
      for (key of Object.keys(fields)) {
        if (key.includes("\0")) mismatch("a name must not contain a null byte");
        if (key !== "__proto__" && fields[key] !== null) out[key] = item(fields[key]);
      }
    } catch (error) {
      if (error instanceof Mismatch) error.path.unshift(key);
      throw error;
    }
    return out;
  };
  return shaped(read, { kind: "map", item });
}

/** An object with known fields. Others are ignored, as the specification's "Extensibility" section asks. */
export function object<F extends Fields>(fields: F): Reader<Flat<FieldsOf<F>>> {
  const read: Reader<Flat<FieldsOf<F>>> = (value) => {
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
    return out as Flat<FieldsOf<F>>;
  };
  return shaped(read, { kind: "object", fields });
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
  const look: Reader<T> = (value) => {
    const typed = read(value);
    const wrong = complaint(typed);
    return wrong === undefined ? typed : mismatch(wrong);
  };
  return shaped(look, shapeOf(read));
}

/** A reader of several forms of a document, of which `read` reads the one that is usual. */
export function usually<T>(read: Reader<T>, any: Reader<T>): Reader<T> {
  return shaped(any, shapeOf(read));
}
