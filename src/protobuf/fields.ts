/** Messages of protocol buffers as tables: their fields with numbers and types, from which the types of TypeScript follow. */

type Scalar = "string" | "bool" | "bytes" | "uint32" | "uint64" | "int32" | "int64";

export interface Field<T extends string = string, R extends "one" | "many" | "map" = "one" | "many" | "map"> {
  number: number;
  type: T;
  rule: R;
}

export const one = <const T extends string>(number: number, type: T): Field<T, "one"> => ({
  number,
  type,
  rule: "one",
});
export const many = <const T extends string>(number: number, type: T): Field<T, "many"> => ({
  number,
  type,
  rule: "many",
});
/** A map from strings. */
export const map = <const T extends string>(number: number, type: T): Field<T, "map"> => ({
  number,
  type,
  rule: "map",
});

/** The messages of an API, by their names. */
export type Messages = Readonly<Record<string, Readonly<Record<string, Field>>>>;

type ScalarValue<T> = T extends "string"
  ? string
  : T extends "bool"
    ? boolean
    : T extends "bytes"
      ? Uint8Array
      : T extends "uint32" | "int32"
        ? number
        : T extends Scalar
          ? bigint
          : never;

type Value<M extends Messages, T> = T extends keyof M ? MessageOf<M, T> : ScalarValue<T>;

type FieldValue<M extends Messages, F> =
  F extends Field<infer T, infer R>
    ? R extends "many"
      ? readonly Value<M, T>[]
      : R extends "map"
        ? Readonly<Record<string, Value<M, T>>>
        : Value<M, T>
    : never;

/** A message to be sent: what is left out is zero or empty. */
export type MessageOf<M extends Messages, N extends keyof M> = {
  readonly [F in keyof M[N]]?: FieldValue<M, M[N][F]>;
};

type ReceivedValue<M extends Messages, T> = T extends keyof M ? ReceivedOf<M, T> : ScalarValue<T>;

/** A message that was received: all is there but for messages in it, which may be null. */
export type ReceivedOf<M extends Messages, N extends keyof M> = {
  readonly [F in keyof M[N]]: M[N][F] extends Field<infer T, infer R>
    ? R extends "many"
      ? readonly ReceivedValue<M, T>[]
      : R extends "map"
        ? Readonly<Record<string, ReceivedValue<M, T>>>
        : T extends keyof M
          ? ReceivedOf<M, T> | null
          : ScalarValue<T>
    : never;
};
