/** Messages to bytes and back, by protobufjs without its parser and its generators. */
import protobuf from "protobufjs/light";
import type { MessageOf, Messages, ReceivedOf } from "./fields";

export interface Codec<M extends Messages, N extends keyof M> {
  encode(message: MessageOf<M, N>): Buffer;
  /** @throws Error when the bytes are no such message */
  decode(bytes: Uint8Array): ReceivedOf<M, N>;
}

/** For an API's messages: a function that gives what writes and reads those of a kind. */
export function codecs<M extends Messages>(messages: M): <N extends keyof M & string>(name: N) => Codec<M, N> {
  let root: protobuf.Root | undefined;
  return <N extends keyof M & string>(name: N) => {
    root ??= protobuf.Root.fromJSON({ nested: definitions(messages) });
    const type = root.lookupType(name);
    return {
      encode: (message) => Buffer.from(type.encode(type.fromObject(message)).finish()),
      decode: (bytes) => type.toObject(type.decode(bytes), reading) as ReceivedOf<M, N>,
    };
  };
}

/** Integers of 64 bits are bigint, which protobufjs makes of them but does not say in its types. */
const reading = { longs: BigInt as unknown as StringConstructor, defaults: true, arrays: true, objects: true };

function definitions(messages: Messages) {
  return Object.fromEntries(
    Object.entries(messages).map(([name, fields]) => [
      name,
      {
        fields: Object.fromEntries(
          Object.entries(fields).map(([field, { number, type, rule }]) => [
            field,
            { id: number, type, ...rules[rule] },
          ]),
        ),
      },
    ]),
  );
}

const rules = { one: {}, many: { rule: "repeated" }, map: { keyType: "string" } } as const;
